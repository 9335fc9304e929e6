// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../../wire/index.ts';
import { webhookConfigurations, type WebhookSettings } from '../webhook-configuration.ts';
import { GATE_PORT, METRICS_PORT, type InstallSettings } from './install-settings.ts';
import { roles } from './roles.ts';
import { customResourceDefinitions } from './schemas.ts';

/** Namespaces without which a cluster does not start. */
export const SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-node-lease', 'kube-public'];

/**
 * Everything that a gate needs in a cluster, in the order in which it can be applied. With `url` the gate runs elsewhere, and only what it reads
 * is there. The same settings give the same manifests.
 *
 * @example
 * for (const manifest of manifests(settings)) console.log(stringify(manifest));
 */
export function manifests(settings: InstallSettings): readonly Json[] {
  const { name, namespace, labels } = settings;
  const inside = settings.url === undefined;
  const metadata = { name, namespace, labels };
  return [
    ...customResourceDefinitions(),
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      // From 1.21 on the API server sets this label itself, and nobody else may.
      metadata: { name: namespace, labels: { ...labels, 'kubernetes.io/metadata.name': namespace } },
    },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    ...roles(settings),
    ...(inside ? running(settings) : []),
    ...webhookConfigurations(webhookSettings(settings), '').map(({ object }) => object),
  ];
}

/** What webhook configurations are made of. */
export type GateSettings = Pick<
  InstallSettings,
  'name' | 'namespace' | 'url' | 'timeoutSeconds' | 'mutate' | 'resources' | 'excluded'
>;

/** Names by which the API server calls the gate that is installed so. */
export function gateHosts({ name, namespace, url }: GateSettings): readonly string[] {
  if (url !== undefined) return [new URL(url).hostname.replace(/^\[|\]$/g, '')];
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
}

/** How the API server reaches the gate that is installed so. */
export function webhookSettings(settings: GateSettings): WebhookSettings {
  const { name, namespace, url, timeoutSeconds, mutate, resources, excluded } = settings;
  const common = { name, timeoutSeconds, mutate, resources };
  // A gate outside of the cluster starts without it, so that nothing needs to be left out; the gate itself judges a namespace's name.
  if (url !== undefined) return { ...common, endpoint: { kind: 'url', url }, unasked: [] };
  const unasked = [...new Set([namespace, ...excluded])];
  return { ...common, endpoint: { kind: 'service', namespace, name, port: 443 }, unasked };
}

/** The arguments of `bulla admission serve` in the gate's Pods. */
function serveArguments(settings: InstallSettings): readonly string[] {
  const { name, namespace, mutate, timeoutSeconds, excluded, resources } = settings;
  return [
    'admission',
    'serve',
    '--address=0.0.0.0:8443',
    '--metrics-address=0.0.0.0:8081',
    '--in-cluster',
    `--name=${name}`,
    `--mutate=${mutate}`,
    `--webhook-timeout=${timeoutSeconds}s`,
    `--exclude-namespace=${namespace}`,
    ...excluded.map((one) => `--exclude-namespace=${one}`),
    ...resources.map((one) => `--resource=${one}`),
    ...settings.arguments,
  ];
}

/** What runs in the cluster. */
function running(settings: InstallSettings): readonly Json[] {
  const { name, namespace, labels, egressPorts, disruptionVersion } = settings;
  const metadata = { name, namespace, labels };
  const podSelector = { matchLabels: labels };
  const dns = ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 }));
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: {
        selector: podSelector.matchLabels,
        ports: [
          { name: 'webhook', port: 443, targetPort: 'webhook', protocol: 'TCP' },
          { name: 'metrics', port: 8081, targetPort: 'metrics', protocol: 'TCP' },
        ],
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: {
        podSelector,
        policyTypes: ['Ingress', 'Egress'],
        // The API server has no Pod of which it could be said that it may call.
        ingress: [{ ports: [GATE_PORT, METRICS_PORT].map((port) => ({ protocol: 'TCP', port })) }],
        egress: [{ ports: [...dns, ...egressPorts.map((port) => ({ protocol: 'TCP', port }))] }],
      },
    },
    {
      apiVersion: disruptionVersion,
      kind: 'PodDisruptionBudget',
      metadata,
      // With `minAvailable` a single replica would keep its node from ever being drained.
      spec: { maxUnavailable: 1, selector: podSelector },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: settings.replicas,
        selector: podSelector,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: { metadata: { labels }, spec: podOf(settings) },
      },
    },
  ];
}

function podOf(settings: InstallSettings): Json {
  const { name, priorityClass, imagePullSecrets, labels } = settings;
  return {
    serviceAccountName: name,
    ...(imagePullSecrets.length === 0
      ? {}
      : { imagePullSecrets: imagePullSecrets.map((secret) => ({ name: secret })) }),
    ...(priorityClass === '' ? {} : { priorityClassName: priorityClass }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    // longer than a review may take
    terminationGracePeriodSeconds: 45,
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: {
              topologyKey: 'kubernetes.io/hostname',
              labelSelector: { matchLabels: labels },
            },
          },
        ],
      },
    },
    containers: [containerOf(settings)],
    volumes: [{ name: 'data', emptyDir: { sizeLimit: '512Mi' } }],
  };
}

function containerOf(settings: InstallSettings): Json {
  const probe = (path: string): Json => ({ path, port: 'webhook', scheme: 'HTTPS' });
  return {
    name: 'gate',
    image: settings.image,
    args: [...serveArguments(settings)],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'HOME', value: '/var/lib/bulla' },
      { name: 'TMPDIR', value: '/var/lib/bulla' },
      // Garbage is collected before the memory is large: without this a storm of hostile images takes half as much again.
      { name: 'NODE_OPTIONS', value: '--max-old-space-size=192 --max-semi-space-size=4' },
    ],
    ports: [
      { name: 'webhook', containerPort: GATE_PORT, protocol: 'TCP' },
      { name: 'metrics', containerPort: METRICS_PORT, protocol: 'TCP' },
    ],
    // Before the first certificate there is nothing to listen with.
    startupProbe: { httpGet: probe('/healthz'), periodSeconds: 1, failureThreshold: 120 },
    livenessProbe: { httpGet: probe('/healthz'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    readinessProbe: { httpGet: probe('/readyz'), periodSeconds: 2, timeoutSeconds: 5 },
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'data', mountPath: '/var/lib/bulla' }],
  };
}
