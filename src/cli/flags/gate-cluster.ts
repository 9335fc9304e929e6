// SPDX-License-Identifier: Apache-2.0
import { hostname } from 'node:os';
import type { ConnectedCluster, GateSettings } from '../../gate/index.ts';
import type { PolicyDocuments, PolicySurroundings } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { gateSettings, invalid, requireNamespace, webhookAddress, type WEBHOOK_FLAGS } from './gate-install.ts';
import { loadPolicyTrust, type POLICY_TRUST_FLAGS } from './policy-trust.ts';
import { gateRemote } from './admission.ts';
import type { REGISTRY_FLAGS } from './registry.ts';

/** Which cluster a command speaks to. */
export const KUBECONFIG_FLAGS = {
  kubeconfig: {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'kubeconfig of the cluster; KUBECONFIG and ~/.kube/config unless told',
  },
  'kube-context': { kind: 'string', default: '', placeholder: 'NAME', help: 'context of the kubeconfig' },
} as const;

/** What a gate takes from a cluster, and keeps in it; goes with {@link KUBECONFIG_FLAGS} and WEBHOOK_FLAGS. */
export const GATE_CLUSTER_FLAGS = {
  'in-cluster': {
    kind: 'boolean',
    help: 'policies, pull secrets and certificates are those of the cluster that this runs in',
  },
  'gate-namespace': {
    kind: 'string',
    default: '',
    placeholder: 'NAMESPACE',
    help: 'where Secrets, ConfigMaps and exceptions of policies are, and the certificates; where it runs unless told',
  },
  'webhook-url': {
    kind: 'string',
    default: '',
    placeholder: 'URL',
    help: 'with --kubeconfig: the address at which the API server calls this gate; it makes the certificates and keeps the webhook configurations',
  },
  'certificate-overlap': {
    kind: 'duration',
    default: 120_000,
    help: 'how long an old and a new authority are believed side by side; longer than an API server needs to learn of a change',
  },
} as const;

type ClusterFlagValues = FlagValues<
  typeof GATE_CLUSTER_FLAGS &
    typeof KUBECONFIG_FLAGS &
    typeof WEBHOOK_FLAGS &
    typeof POLICY_TRUST_FLAGS &
    typeof REGISTRY_FLAGS
> & {
  readonly mutate: string;
  readonly 'exclude-namespace': readonly string[];
  readonly 'tls-cert': string;
};

/** Tells a line of the log. */
export type TellStep = (message: string, error?: unknown) => void;

/** Whether the flags name a cluster. */
export function namesCluster(flags: Pick<ClusterFlagValues, 'in-cluster' | 'kubeconfig' | 'kube-context'>): boolean {
  return flags['in-cluster'] || flags.kubeconfig !== '' || flags['kube-context'] !== '';
}

/**
 * Connects a gate with the cluster that flags name.
 *
 * @throws CliError `usage`, `flag-invalid`; ClusterError `package-missing`, `kubeconfig-malformed`
 */
export async function connectGate(
  context: CommandContext,
  flags: ClusterFlagValues,
  tell: TellStep,
): Promise<ConnectedCluster> {
  const { ClusterError, connectCluster, gateHosts, GATE_REMOTE_LIMITS, isResource, openCluster, webhookSettings } =
    await import('../../gate/index.ts');
  if (flags['in-cluster'] && (flags.kubeconfig !== '' || flags['kube-context'] !== ''))
    throw new CliError('usage', '--in-cluster and --kubeconfig exclude one another');
  const api = await openCluster({ env: context.env, inCluster: flags['in-cluster'], ...choiceOf(flags) });
  const namespace = flags['gate-namespace'] === '' ? api.namespace : flags['gate-namespace'];
  requireNamespace('gate-namespace', namespace);
  const settings: GateSettings = {
    ...gateSettings(flags, flags['exclude-namespace'], isResource),
    namespace,
    ...(flags['webhook-url'] === '' ? {} : { url: webhookAddress('webhook-url', flags['webhook-url']).href }),
  };
  if (flags['certificate-overlap'] < 1000) throw invalid('certificate-overlap', 'it', 'a second at least');
  const kept = flags['tls-cert'] === '' && (flags['in-cluster'] || settings.url !== undefined);
  const { limits, ...remote } = gateRemote(context, flags);
  return connectCluster({
    api,
    namespace,
    identity: (context.env['POD_NAME'] ?? '') === '' ? `${hostname()}-${process.pid}` : (context.env['POD_NAME'] ?? ''),
    name: settings.name,
    remote: { ...remote, limits: { ...GATE_REMOTE_LIMITS, ...limits } },
    surroundings: (documents) => surroundings(context, flags, documents, tell),
    onStep: (message) => tell(message),
    onTrouble: (message) => tell('trouble with the cluster', new ClusterError('service-unavailable', message)),
    onAlarm: (message) => tell('ALARM', new ClusterError('conflict', message)),
    ...(kept
      ? {
          webhooks: {
            settings: webhookSettings(settings),
            hosts: gateHosts(settings),
            lives: { overlap: flags['certificate-overlap'] },
          },
        }
      : {}),
  });
}

/** What {@link KUBECONFIG_FLAGS} say. */
export function choiceOf(flags: FlagValues<typeof KUBECONFIG_FLAGS>): {
  readonly file?: string;
  readonly context?: string;
} {
  const { kubeconfig, 'kube-context': name } = flags;
  return { ...(kubeconfig === '' ? {} : { file: kubeconfig }), ...(name === '' ? {} : { context: name }) };
}

// A trusted root that cannot be had keeps the policies that need it from admitting, and no other.
async function surroundings(
  context: CommandContext,
  flags: ClusterFlagValues,
  documents: PolicyDocuments,
  tell: TellStep,
): Promise<PolicySurroundings> {
  try {
    return await loadPolicyTrust(context, flags, documents);
  } catch (error) {
    tell('the trusted root of policies that name none cannot be had', error);
    const { policySurroundings } = await import('./policy-surroundings.ts');
    return policySurroundings(context);
  }
}
