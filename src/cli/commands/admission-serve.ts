// SPDX-License-Identifier: Apache-2.0
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type {
  AdmissionGateOptions,
  GateTelemetry,
  PolicySource,
  RunningAdmission,
  TlsSource,
} from '../../gate/index.ts';
import { CodedError, isLoopback } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { replaceFiles } from '../file/replace-files.ts';
import {
  GATE_POLICY_FLAG,
  gateCredentials,
  loadGatePolicies,
  openSummaries,
  SUMMARY_FLAGS,
  tlsSource,
  REVIEWED_FLAGS,
} from '../flags/admission.ts';
import { connectGate, GATE_CLUSTER_FLAGS, KUBECONFIG_FLAGS, namesCluster } from '../flags/gate-cluster.ts';
import { WEBHOOK_FLAGS } from '../flags/gate-install.ts';
import { parseAddress } from '../flags/listen.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';
import { aborted } from '../output/service.ts';

const FLAGS = {
  ...GATE_POLICY_FLAG,
  ...POLICY_TRUST_FLAGS,
  ...REGISTRY_FLAGS,
  ...REVIEWED_FLAGS,
  address: {
    kind: 'string',
    default: ':8443',
    placeholder: 'HOST:PORT',
    help: 'where to listen; port 0 picks a free one',
  },
  'tls-cert': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'PEM of the certificate and its chain; read again when it changes',
  },
  'tls-key': { kind: 'string', default: '', placeholder: 'FILE', help: 'PEM of its private key' },
  'insecure-listen': {
    kind: 'boolean',
    help: 'listen on any address without TLS',
    weakens: '--insecure-listen: whoever is on the way can answer in place of the gate',
  },
  'metrics-address': {
    kind: 'string',
    default: '127.0.0.1:8081',
    placeholder: 'HOST:PORT',
    help: "where Prometheus finds /metrics, without TLS; '' for nowhere",
  },
  'listing-age': {
    kind: 'duration',
    default: 10_000,
    help: 'how long it is taken that a registry still lists the same beside an image',
  },
  'tag-age': { kind: 'duration', default: 5000, help: 'how long it is taken that a tag still names the same' },
  'max-evidence': {
    kind: 'integer',
    default: 32,
    min: 1,
    max: 1024,
    help: 'MiB of evidence that are read of one image; beyond that it is undecided',
  },
  ...SUMMARY_FLAGS,
  ...GATE_CLUSTER_FLAGS,
  ...KUBECONFIG_FLAGS,
  ...WEBHOOK_FLAGS,
  'ready-file': { kind: 'string', default: '', placeholder: 'FILE', help: 'write {"url":URL} to FILE once it serves' },
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** What `--ready-file` holds; `--json` prints it with `warnings`. */
export interface AdmissionReadyDocument {
  /** `https://HOST:PORT` */
  readonly url: string;
  /** `http://HOST:PORT/metrics` */
  readonly metrics?: string;
}

/** `bulla admission serve`: the gate of a Kubernetes cluster. */
export const command: Command = defineCommand({
  name: 'admission serve',
  summary: 'Serve the admission webhooks of a Kubernetes cluster',
  description:
    'Answers AdmissionReview v1 on /mutate and /validate: images that policies trust are written back with the digest that was verified, and what is refused, or could not be found out ' +
    'before the API server stops waiting, is denied with the reason. It writes a log of JSON lines to stderr, looks at its files again on SIGHUP, and ends cleanly on SIGTERM and SIGINT.',
  usage: '[flags] [--policy FILE --tls-cert FILE --tls-key FILE]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: FLAGS,
  endless: true,
  examples: [
    'bulla admission serve --policy policies.yaml --tls-cert tls.crt --tls-key tls.key --exclude-namespace kube-system',
    'bulla admission serve --policy policies.yaml --tls-cert tls.crt --tls-key tls.key --mutate none',
    'bulla admission serve --kubeconfig gate.kubeconfig --gate-namespace bulla-system --webhook-url https://gate.example.com:8443',
    'bulla admission serve --policy p.yaml --tls-cert tls.crt --tls-key tls.key --data ./gate --vsa-key gate.key --verifier https://gate.example.com',
  ],
  async run(context, _args, flags) {
    if (context.noNetwork) throw new CliError('network-forbidden', '--no-network: a gate is asked over the network');
    const address = parseAddress(flags.address);
    const metrics =
      flags['metrics-address'] === '' ? undefined : parseAddress(flags['metrics-address'], 'metrics-address');
    const readyFile = flags['ready-file'] === '' ? undefined : resolve(context.cwd, flags['ready-file']);
    if (readyFile !== undefined) rmSync(readyFile, { force: true });
    const tls = await tlsSource(context, flags);
    const clustered = namesCluster(flags);
    if (!clustered && flags.policy.length === 0)
      throw new CliError('usage', '--policy is required: by which policies?', {
        hint: "or take a cluster's: --in-cluster, --kubeconfig FILE",
      });
    if (clustered && flags.policy.length > 0)
      throw new CliError('usage', '--policy and a cluster exclude one another: policies come from either');
    const makesOwn = clustered && (flags['in-cluster'] || flags['webhook-url'] !== '');
    if (tls === undefined && !makesOwn && !isLoopback(address.host) && !flags['insecure-listen'])
      throw new CliError(
        'usage',
        `without --tls-cert and --tls-key it listens on loopback addresses only, not on ${flags.address}`,
        {
          hint: 'the API server speaks TLS to webhooks',
        },
      );
    await using opened = new AsyncDisposableStack();
    // to the very end: it ends a process that does not listen
    opened.defer(context.onHangUp(() => tls?.look?.()));
    const running = await start(context, flags, { address, metrics, tls }, opened);
    try {
      announce(context, running, tls !== undefined || makesOwn, readyFile);
      await aborted(context.signal);
      logStep(context, 'stopping: reviews under way are answered');
    } finally {
      if (readyFile !== undefined) rmSync(readyFile, { force: true });
    }
    return EXIT.ok;
  },
});

interface Places {
  readonly address: { readonly host: string; readonly port: number };
  readonly metrics: Places['address'] | undefined;
  readonly tls: TlsSource | undefined;
}

async function start(
  context: CommandContext,
  flags: Flags,
  { address, metrics, tls }: Places,
  opened: AsyncDisposableStack,
): Promise<RunningAdmission> {
  const gates = await import('../../gate/index.ts');
  const step = (message: string, error?: unknown): void => logStep(context, message, error);
  const cluster = namesCluster(flags) ? await connectGate(context, flags, step) : undefined;
  opened.defer(() => cluster?.close());
  const policies = cluster?.policies ?? (await fromFiles(context, flags, step, opened));
  const summaries = await openSummaries(context, flags);
  opened.defer(() => summaries?.close());
  const counted = await gates.createGateMetrics();
  const traces = await gates.createGateTraces();
  const log = gates.createGateLog({
    write: (line) => context.stderr(`${line}\n`),
    verbose: context.verbose,
    now: context.now,
  });
  const telemetry: GateTelemetry = gates.joined([counted.telemetry, log, ...(traces === undefined ? [] : [traces])]);
  const gate = gates.createAdmissionGate({
    policies,
    credentials: cluster?.credentials ?? (await gateCredentials(context, flags)),
    observers: cluster === undefined ? [] : [cluster.observer],
    mutate: flags.mutate as NonNullable<AdmissionGateOptions['mutate']>,
    excludedNamespaces: flags['exclude-namespace'],
    telemetry,
    now: context.now,
    ...(summaries === undefined ? {} : { summaries: summaries.keeper }),
    limits: {
      listingMs: flags['listing-age'],
      tagMs: flags['tag-age'],
      large: flags['max-evidence'] * 1024 * 1024,
    },
  });
  const certificates = tls ?? cluster?.tls;
  // The first certificate may be long in coming, if nobody can be elected to make it.
  const stop = (): void => void cluster?.close();
  context.signal.addEventListener('abort', stop, { once: true });
  const served =
    cluster === undefined ? gate : { ...gate, service: gates.withPolicyReviews(gate.service, cluster.policies) };
  const running = await gates.serveAdmission({
    ...address,
    gate: served,
    ...(certificates === undefined ? {} : { tls: certificates }),
    ...(metrics === undefined ? {} : { metrics: { of: counted, ...metrics } }),
    onCertificate: (error) =>
      step(error === undefined ? 'another certificate is in use' : 'the new certificate is not used', error),
  });
  context.signal.removeEventListener('abort', stop);
  opened.defer(() => running.close());
  return running;
}

async function fromFiles(
  context: CommandContext,
  flags: Flags,
  step: (message: string, error?: unknown) => void,
  opened: AsyncDisposableStack,
): Promise<PolicySource> {
  const policies = await loadGatePolicies(context, flags, step);
  opened.defer(() => policies.close());
  const trouble = (error: unknown): void => step('policies cannot be read again, those before stay in force', error);
  opened.defer(context.onHangUp(() => void policies.reload().catch(trouble)));
  return policies;
}

function logStep(context: CommandContext, message: string, error?: unknown): void {
  const failure =
    error === undefined
      ? {}
      : {
          code: error instanceof CodedError ? error.code : 'unexpected',
          reason: error instanceof Error ? error.message : 'unknown',
        };
  const level = error === undefined ? 'info' : 'error';
  context.stderr(`${JSON.stringify({ time: context.now().toISOString(), level, message, ...failure })}\n`);
}

function announce(
  context: CommandContext,
  running: RunningAdmission,
  secured: boolean,
  readyFile: string | undefined,
): void {
  const { metrics } = running;
  const document: AdmissionReadyDocument = {
    url: `${secured ? 'https' : 'http'}://${shown(running.address)}`,
    ...(metrics === undefined ? {} : { metrics: `http://${shown(metrics)}/metrics` }),
  };
  if (readyFile !== undefined)
    replaceFiles([{ path: readyFile, bytes: Buffer.from(`${JSON.stringify(document)}\n`), mode: 0o644 }]);
  logStep(context, `serving ${document.url}`);
  if (context.json) writeJson(context, { ...document, warnings: context.warnings });
}

function shown({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
