// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';

/** Which objects get their images pinned. */
export type Mutate = 'pods' | 'workloads' | 'none';

/** How the API server reaches the gate, and what it asks it about. */
export interface WebhookSettings {
  /** of both configurations */
  readonly name: string;
  /** a Service of the cluster, or an address outside of it */
  readonly endpoint:
    | { readonly kind: 'service'; readonly namespace: string; readonly name: string; readonly port: number }
    | { readonly kind: 'url'; readonly url: string };
  /** from 1 to 30 */
  readonly timeoutSeconds: number;
  readonly mutate: Mutate;
  /**
   * Namespaces that the API server does not even ask about: those without which the gate could not start. Left out where the API server does not
   * guard the label by which they are chosen (before 1.21).
   */
  readonly unasked: readonly string[];
  /** further resources, `group/version/plural` with an empty group for the core; `*` for every version */
  readonly resources: readonly string[];
}

const CORE: readonly Rule[] = [
  {
    group: '',
    versions: ['v1'],
    resources: ['pods', 'pods/ephemeralcontainers', 'replicationcontrollers', 'podtemplates'],
  },
  { group: 'apps', versions: ['v1'], resources: ['deployments', 'replicasets', 'statefulsets', 'daemonsets'] },
  // A version that is not named is not asked about where the server has no other: CronJob was v1beta1 alone until 1.21.
  { group: 'batch', versions: ['v1', 'v1beta1', 'v2alpha1'], resources: ['jobs', 'cronjobs'] },
];
const PODS: readonly Rule[] = [{ group: '', versions: ['v1'], resources: ['pods', 'pods/ephemeralcontainers'] }];

/** What the gate itself is told by. Who writes it hears of mistakes at once; no failure of that keeps anybody from writing it. */
const POLICIES: readonly Rule[] = [
  { group: 'policy.sigstore.dev', versions: ['*'], resources: ['clusterimagepolicies', 'trustroots'] },
  { group: 'policy.bulla', versions: ['*'], resources: ['policysettings', 'policyexceptions'] },
];
/** seconds */
const POLICIES_TIMEOUT = 5;

/** Custom resources that say what is to run. Their Pods are asked about whether or not these are. */
const CUSTOM: readonly Rule[] = (
  [
    ['apps.kruise.io', 'advancedcronjobs', 'broadcastjobs', 'clonesets', 'daemonsets', 'statefulsets'],
    ['argoproj.io', 'clusterworkflowtemplates', 'cronworkflows', 'rollouts', 'workflows', 'workflowtemplates'],
    ['batch.volcano.sh', 'jobs'],
    ['jobset.x-k8s.io', 'jobsets'],
    ['kafka.strimzi.io', 'kafkabridges', 'kafkaconnects', 'kafkamirrormaker2s', 'kafkanodepools', 'kafkas'],
    ['kubeflow.org', 'mpijobs', 'paddlejobs', 'pytorchjobs', 'tfjobs', 'xgboostjobs'],
    ['leaderworkerset.x-k8s.io', 'leaderworkersets'],
    ['monitoring.coreos.com', 'alertmanagers', 'prometheusagents', 'prometheuses', 'thanosrulers'],
    ['opentelemetry.io', 'instrumentations', 'opentelemetrycollectors'],
    ['postgresql.cnpg.io', 'clusters'],
    ['ray.io', 'rayclusters', 'rayjobs', 'rayservices'],
    ['serving.knative.dev', 'configurations', 'revisions', 'services'],
    ['serving.kserve.io', 'inferenceservices'],
    ['sparkoperator.k8s.io', 'scheduledsparkapplications', 'sparkapplications'],
    ['tekton.dev', 'clustertasks', 'pipelineruns', 'pipelines', 'stepactions', 'taskruns', 'tasks'],
  ] as const
).map(([group, ...resources]) => ({ group, versions: ['*'], resources }));

interface Rule {
  readonly group: string;
  readonly versions: readonly string[];
  readonly resources: readonly string[];
}

/** One of the two configurations. */
export interface WebhookConfiguration {
  readonly kind: 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration';
  /** of the list */
  readonly plural: 'validatingwebhookconfigurations' | 'mutatingwebhookconfigurations';
  readonly object: { readonly [key: string]: Json };
}

/** both lists of configurations */
export const WEBHOOK_LISTS: readonly WebhookConfiguration['plural'][] = [
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
];

/** where both configurations are in the API */
export const WEBHOOKS_PATH = '/apis/admissionregistration.k8s.io/v1';

/**
 * The webhook configurations of the gate: what runs images fails closed, nothing is chosen by a label that a user could set, and other versions of
 * the same objects are asked about too.
 *
 * @param caBundle PEM, empty where it is not known yet: then every call fails, and what is asked about is refused
 * @see https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-configuration
 */
export function webhookConfigurations(settings: WebhookSettings, caBundle: string): readonly WebhookConfiguration[] {
  const { mutate, resources } = settings;
  const further = resources.map(parseResource);
  const all = [...CORE, ...CUSTOM, ...further];
  const judging = webhook(settings, caBundle, 'validate', all);
  const told = webhook({ ...settings, unasked: [] }, caBundle, 'policies', POLICIES, {
    failurePolicy: 'Ignore',
    sideEffects: 'None',
    timeoutSeconds: POLICIES_TIMEOUT,
  });
  const validating = configuration(settings, 'ValidatingWebhookConfiguration', [judging, told]);
  if (mutate === 'none') return [validating];
  const pinned = mutate === 'pods' ? PODS : all;
  const pinning = webhook(settings, caBundle, 'mutate', pinned, { reinvocationPolicy: 'IfNeeded' });
  return [validating, configuration(settings, 'MutatingWebhookConfiguration', [pinning])];
}

/** True for `group/version/plural` as {@link WebhookSettings.resources} has it. */
export function isResource(text: string): boolean {
  return /^(?:[a-z0-9.-]{1,253})?\/(?:\*|v[a-z0-9]{1,62})\/[a-z0-9]{1,63}(?:\/[a-z]{1,63})?$/.test(text);
}

/** Whether a configuration that was found is one that a gate has made: all that it registers is a gate's. */
export function isOurs(found: Json): boolean {
  const webhooks = listOf(fieldOf(found, 'webhooks'));
  return webhooks.length > 0 && webhooks.every((one) => textOf(one, 'name')?.endsWith('.gate.policy.bulla') === true);
}

function parseResource(text: string): Rule {
  const [group = '', version = '*', ...resource] = text.split('/');
  return { group, versions: [version], resources: [resource.join('/')] };
}

function webhook(
  settings: WebhookSettings,
  caBundle: string,
  verb: 'validate' | 'mutate' | 'policies',
  rules: readonly Rule[],
  extra: Readonly<Record<string, Json>> = {},
): Json {
  const { timeoutSeconds, unasked } = settings;
  return {
    name: `${verb}.gate.policy.bulla`,
    admissionReviewVersions: ['v1'],
    clientConfig: { ...clientOf(settings, verb), ...(caBundle === '' ? {} : { caBundle: encoded(caBundle) }) },
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector:
      unasked.length === 0
        ? {}
        : { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: [...unasked] }] },
    objectSelector: {},
    rules: rules.map(ruleOf),
    sideEffects: 'NoneOnDryRun',
    timeoutSeconds,
    ...extra,
  };
}

function configuration(
  { name }: WebhookSettings,
  kind: WebhookConfiguration['kind'],
  webhooks: readonly Json[],
): WebhookConfiguration {
  return {
    kind,
    plural:
      kind === 'ValidatingWebhookConfiguration' ? 'validatingwebhookconfigurations' : 'mutatingwebhookconfigurations',
    object: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind,
      metadata: { name, labels: { 'app.kubernetes.io/name': 'bulla-gate' } },
      webhooks: [...webhooks],
    },
  };
}

function clientOf({ endpoint }: WebhookSettings, verb: string): Readonly<Record<string, Json>> {
  if (endpoint.kind === 'url') return { url: `${endpoint.url.replace(/\/+$/, '')}/${verb}` };
  const { namespace, name, port } = endpoint;
  return { service: { namespace, name, path: `/${verb}`, port } };
}

function ruleOf({ group, versions, resources }: Rule): Json {
  return {
    apiGroups: [group],
    apiVersions: [...versions],
    operations: ['CREATE', 'UPDATE'],
    resources: [...resources],
    scope: '*',
  };
}

function encoded(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
