// SPDX-License-Identifier: Apache-2.0
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PullCredentials, ReloadedPolicies, SummaryKeeper, TlsSource } from '../../gate/index.ts';
import { digestOf, type RemoteOptions } from '../../oci/index.ts';
import type { PolicyFile, PolicySet } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readPolicyFiles } from './policy-files.ts';
import { loadPolicyTrust, type POLICY_TRUST_FLAGS } from './policy-trust.ts';
import { loadSigner } from './private-key.ts';
import { remoteOptions, type REGISTRY_FLAGS } from './registry.ts';

/** What a gate decides by. */
export const GATE_POLICY_FLAG = {
  policy: {
    kind: 'strings',
    split: false,
    placeholder: 'FILE',
    help: 'policies and what they refer to; read again when a file changes; may be given several times',
  },
} as const;

/** What a gate judges, and what it writes back. */
export const REVIEWED_FLAGS = {
  mutate: {
    kind: 'string',
    default: 'pods',
    choices: ['pods', 'workloads', 'none'],
    placeholder: 'WHOSE',
    help: 'whose images are written back with the digest that was verified',
  },
  'exclude-namespace': {
    kind: 'strings',
    split: true,
    placeholder: 'NAME',
    help: 'a namespace that is not judged; may be given several times',
  },
} as const;

/** What a gate keeps of its decisions. */
export const SUMMARY_FLAGS = {
  data: {
    kind: 'string',
    default: '',
    placeholder: 'DIR',
    help: 'keep signed summaries of what was verified here, so that it is admitted while a registry does not answer',
  },
  'vsa-key': { kind: 'string', default: '', placeholder: 'KEY', help: 'with --data: the private key that signs them' },
  verifier: {
    kind: 'string',
    default: '',
    placeholder: 'URI',
    help: 'with --data: what the gate calls itself in them',
  },
} as const;

/** what has not changed for so long is written to its end */
const SETTLED_MS = 500;

/** trusted roots are fetched anew now and then, whether a file changed or not */
const TRUST_MS = 3_600_000;

/**
 * Policies in files that may change while they are in force.
 *
 * @throws CliError `usage`; PolicyError; as `readPolicyFiles` and `loadPolicyTrust`
 */
export async function loadGatePolicies(
  context: CommandContext,
  flags: FlagValues<typeof GATE_POLICY_FLAG & typeof POLICY_TRUST_FLAGS>,
  log: (message: string, error?: unknown) => void,
): Promise<ReloadedPolicies> {
  const { decodePolicyDocuments, loadPolicies, YAML_LIMITS } = await import('../../policy/index.ts');
  const { reloadedPolicies } = await import('../../gate/index.ts');
  if (flags.policy.includes('-')) throw new CliError('usage', '--policy -: a gate reads its policies from files');
  let read = '';
  let trusted = 0;
  const policies = reloadedPolicies({
    async load(): Promise<PolicySet | undefined> {
      const files = await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes);
      const digest = digestOfFiles(files);
      if (digest === read && context.now().getTime() - trusted < TRUST_MS) return undefined;
      if (read !== '' && digest !== read) {
        // Half of a file that is being written may be whole policies, without the strict one at its end.
        await sleep(SETTLED_MS);
        if (digestOfFiles(await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes)) !== digest)
          return undefined;
      }
      const trust = await loadPolicyTrust(context, flags, await decodePolicyDocuments(files));
      const set = await loadPolicies(files, trust);
      read = digest;
      trusted = context.now().getTime();
      return set;
    },
    onChange: () => log('policies were read again and are in force'),
    onTrouble: (error) => log('policies cannot be read again, those before stay in force', error),
  });
  try {
    await policies.reload();
  } catch (error) {
    policies.close();
    throw error;
  }
  return policies;
}

function digestOfFiles(files: readonly PolicyFile[]): string {
  return JSON.stringify(files.map(({ name, bytes }) => [name, digestOf(bytes)]));
}

/**
 * How a gate reaches registries: not until it is told to end, but until the reviews are answered that ask for it; and what registries say by
 * the way is not kept for ever.
 */
export function gateRemote(context: CommandContext, flags: FlagValues<typeof REGISTRY_FLAGS>): RemoteOptions {
  const { signal: _, onWarning: _ignored, ...remote } = remoteOptions(context, flags, 'pull');
  return remote;
}

/** The gate's own credentials, for all workloads. */
export async function gateCredentials(
  context: CommandContext,
  flags: FlagValues<typeof REGISTRY_FLAGS>,
): Promise<PullCredentials> {
  const { sharedCredentials } = await import('../../gate/index.ts');
  return sharedCredentials(gateRemote(context, flags));
}

/** A certificate in files. @throws CliError `usage` */
export async function tlsSource(
  { cwd }: CommandContext,
  flags: { readonly 'tls-cert': string; readonly 'tls-key': string },
): Promise<TlsSource | undefined> {
  const { 'tls-cert': cert, 'tls-key': key } = flags;
  if ((cert === '') !== (key === ''))
    throw new CliError('usage', '--tls-cert and --tls-key belong together: only one was given');
  if (cert === '') return undefined;
  const { tlsFilesSource } = await import('../../gate/index.ts');
  return tlsFilesSource({ cert: resolve(cwd, cert), key: resolve(cwd, key) });
}

/** What is kept of decisions, and what lets it go. */
export interface OpenedSummaries {
  readonly keeper: SummaryKeeper;
  close(): Promise<void>;
}

/** @throws CliError `usage`; as `loadSigner`; StoreError */
export async function openSummaries(
  context: CommandContext,
  flags: FlagValues<typeof SUMMARY_FLAGS>,
): Promise<OpenedSummaries | undefined> {
  const { data, 'vsa-key': key, verifier } = flags;
  const given = [data, key, verifier].filter((value) => value !== '').length;
  if (given === 0) return undefined;
  if (given < 3) throw new CliError('usage', '--data, --vsa-key and --verifier belong together: one is missing');
  const signer = await loadSigner(context, key);
  const { openDataDirectory, SqliteDatabase } = await import('../../store/index.ts');
  const { openSummaryKeeper } = await import('../../gate/index.ts');
  const directory = await openDataDirectory(resolve(context.cwd, data));
  const opened = new AsyncDisposableStack();
  opened.defer(() => directory.release());
  try {
    const database = await SqliteDatabase.open(join(directory.path, 'gate.sqlite'));
    opened.defer(() => database.close());
    return { keeper: await openSummaryKeeper(database, { signer, verifier }), close: () => opened.disposeAsync() };
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}
