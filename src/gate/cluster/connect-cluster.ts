// SPDX-License-Identifier: Apache-2.0
import type { CredentialsProvider, RemoteOptions } from '../../oci/index.ts';
import type { PolicyDocuments, PolicySurroundings } from '../../policy/index.ts';
import { systemClock, type Clock } from '../../wire/index.ts';
import type { DecisionObserver, PolicySource, PullCredentials, TlsSource } from '../admission/ports.ts';
import type { CertificateLives } from './certificate-plan.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterPullCredentials, signatureSecretsOf } from './cluster-pull-credentials.ts';
import { EventWriter } from './event-writer.ts';
import { inspectCluster } from './inspect-cluster.ts';
import { LeaseElection } from './lease.ts';
import type { PolicyExaminer } from './policy-reviews.ts';
import { PolicyWatch } from './policy-watch.ts';
import { ReportWriter } from './report-writer.ts';
import { StatusWriter } from './status-writer.ts';
import type { WebhookSettings } from './webhook-configuration.ts';
import { WebhookGuard } from './webhook-guard.ts';
import { WriteQueue } from './write-queue.ts';

/** What a gate does in a cluster. */
export interface ConnectClusterOptions {
  readonly api: ClusterApi;
  /** the gate's own: Secrets, ConfigMaps and exceptions that policies name, its certificates and its Lease */
  readonly namespace: string;
  /** of this replica, for the Lease and for Events: its Pod's name */
  readonly identity: string;
  /** name of the Lease and of the webhook configurations, and the beginning of that of the Secret */
  readonly name: string;
  /** how registries are reached, but for credentials */
  readonly remote?: Omit<RemoteOptions, 'credentials'>;
  /** the gate's own credentials, for registries that no secret of a workload names */
  readonly own?: CredentialsProvider;
  /** trusted roots and engines, as they are now: asked whenever policies have changed, and from time to time */
  readonly surroundings: (documents: PolicyDocuments) => Promise<PolicySurroundings>;
  /** makes certificates and keeps the webhook configurations in order; without it both are somebody else's */
  readonly webhooks?: {
    readonly settings: WebhookSettings;
    /** names and addresses by which the API server calls the gate */
    readonly hosts: readonly string[];
    readonly lives?: Partial<CertificateLives>;
  };
  /** one line for the log */
  readonly onStep: (message: string) => void;
  /** one line that a person should see */
  readonly onTrouble: (message: string) => void;
  /** one line that a person must see: somebody tampers with the gate */
  readonly onAlarm: (message: string) => void;
  readonly clock?: Clock;
}

/** A cluster that the gate works for. */
export interface ConnectedCluster {
  readonly policies: PolicySource & PolicyExaminer;
  readonly credentials: PullCredentials;
  /** Events and reports */
  readonly observer: DecisionObserver;
  /** where the gate makes its own certificates */
  readonly tls?: TlsSource;
  /** what is wrong at present, one line each; for `/readyz` and metrics */
  problems(): readonly string[];
  /** this replica writes status and certificates */
  readonly leading: boolean;
  /** Stops watching, gives the Lease back, and drops what was not written yet. */
  close(): Promise<void>;
}

/** Events and reports together (a second), and how many may come at once. */
const WRITES = { perSecond: 20, burst: 100, capacity: 2000 } as const;
const STATUS_WRITES = { perSecond: 20, burst: 50, capacity: 20_000 } as const;

/**
 * Connects a gate with its cluster: policies and their status, pull secrets, Events and reports, certificates and webhook configurations. All
 * of it runs until `close`; nothing of it throws later, and no failure of it changes a decision, but that without policies nothing is admitted.
 *
 * @example
 * const api = await openCluster({ env: process.env });
 * const cluster = connectCluster({ api, namespace: api.namespace, identity: hostname(), name: 'bulla-gate', … });
 * const gate = createAdmissionGate({ policies: cluster.policies, credentials: cluster.credentials, observers: [cluster.observer], … });
 */
export function connectCluster(options: ConnectClusterOptions): ConnectedCluster {
  const { api, namespace, identity, name, onStep, onTrouble, clock = systemClock } = options;
  const ended = new AbortController();
  const now = (): Date => new Date(clock.now());
  const queue = new WriteQueue({ ...WRITES, clock, onLost: (message) => onTrouble(`Events and reports: ${message}`) });
  const statusQueue = new WriteQueue({ ...STATUS_WRITES, clock, onLost: (message) => onTrouble(`status: ${message}`) });
  const statuses = new StatusWriter(api, statusQueue, now);
  const policies = new PolicyWatch({
    api,
    namespace,
    clock,
    surroundings: options.surroundings,
    onTrouble,
    onCompiled(compiled) {
      statuses.tell(compiled);
      const broken = compiled.filter(({ problem }) => problem !== undefined).length;
      onStep(`policies: ${compiled.length} objects in force${broken === 0 ? '' : `, ${broken} of them unusable`}`);
    },
  });
  const kept = keepWebhooks(options, clock);
  const election = new LeaseElection({
    api,
    namespace,
    name,
    identity,
    clock,
    onTrouble,
    onChange(leading) {
      onStep(
        leading
          ? 'this replica writes status and certificates'
          : 'this replica no longer writes status and certificates',
      );
      statuses.lead(leading);
      kept?.keeper.lead(leading);
      kept?.guard.lead(leading);
    },
  });
  const tasks = [policies, election, ...(kept === undefined ? [] : [kept.keeper, kept.guard])].map((task) =>
    task.run(ended.signal),
  );
  void inspect(options);
  const observers = [new EventWriter(api, queue, identity), new ReportWriter(api, queue)];
  const { remote, own } = options;
  return {
    policies,
    credentials: new ClusterPullCredentials({
      api,
      clock,
      signatureSecrets: () => signatureSecretsOf(policies.current()?.set),
      ...(remote === undefined ? {} : { remote }),
      ...(own === undefined ? {} : { own }),
    }),
    observer: {
      decided(record) {
        for (const observer of observers) observer.decided(record);
      },
    },
    ...(kept === undefined ? {} : { tls: kept.keeper }),
    problems: () => policies.problems(),
    get leading() {
      return election.leading;
    },
    async close() {
      ended.abort(new Error('the gate ends'));
      await Promise.all([...tasks, queue.close(), statusQueue.close()]);
    },
  };
}

/** What is found stops nothing: a person must see it. */
async function inspect({ api, webhooks, onAlarm, onTrouble }: ConnectClusterOptions): Promise<void> {
  try {
    const leavesOut = (webhooks?.settings.unasked.length ?? 0) > 0;
    for (const finding of await inspectCluster(api, leavesOut)) onAlarm(finding);
  } catch (error) {
    onTrouble(error instanceof Error ? error.message : String(error));
  }
}

function keepWebhooks(
  { api, namespace, name, webhooks, onStep, onTrouble, onAlarm }: ConnectClusterOptions,
  clock: Clock,
): { readonly keeper: CertificateKeeper; readonly guard: WebhookGuard } | undefined {
  if (webhooks === undefined) return undefined;
  const { settings, hosts, lives } = webhooks;
  const guard = new WebhookGuard({ api, settings, onAlarm, onStep, onTrouble, clock });
  const keeper = new CertificateKeeper({
    api,
    namespace,
    name: `${name}-tls`,
    hosts,
    isInForce: (bundle) => guard.isInForce(bundle),
    onBundle: (bundle) => guard.believe(bundle),
    onStep,
    onTrouble,
    clock,
    ...(lives === undefined ? {} : { lives }),
  });
  return { keeper, guard };
}
