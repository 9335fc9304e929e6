// SPDX-License-Identifier: Apache-2.0
import type { EvidenceDemand, TrustedRoot, WitnessDemand } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import type { TrustSource } from '../output/trust-origin.ts';
import type { OwnPki } from './own-pki.ts';
import { PKI_FLAGS } from './pki.ts';

/** Whom one believes about certificates, logs and times, and which of these checks are left out. */
export const TRUST_FLAGS = {
  'trusted-root': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'trusted_root.json: who may certify, which logs and clocks are believed. A log must have the seal then',
  },
  'use-signed-timestamps': { kind: 'boolean', help: 'a timestamp authority must have seen the seal' },
  'insecure-ignore-tlog': {
    kind: 'boolean',
    help: 'a seal need not be in a transparency log',
    weakens:
      'Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the signature.' as string,
  },
  'insecure-ignore-sct': {
    kind: 'boolean',
    help: 'a certificate need not be in a certificate log',
    hidden: true,
  },
  'witness-key': {
    kind: 'strings',
    split: false,
    placeholder: 'VKEY',
    help: 'a witness that must have cosigned what the log says, as it publishes its key (name+id+key)',
  },
  'witness-threshold': {
    kind: 'integer',
    min: 1,
    placeholder: 'NUMBER',
    help: 'how many of these witnesses must have; all unless told',
  },
  'private-infrastructure': {
    kind: 'boolean',
    help: 'as --insecure-ignore-tlog',
    hidden: true,
    deprecated: 'please use --insecure-ignore-tlog instead',
  },
  'rekor-url': {
    kind: 'string',
    placeholder: 'URL',
    help: 'is not asked: what lies beside the seal says whether the log has it',
    hidden: true,
  },
} as const;

type Flags = FlagValues<typeof TRUST_FLAGS> & Partial<FlagValues<typeof PKI_FLAGS>>;

/** cosign's variables, each with a file that is one part of a trusted root. */
const VARIABLES = {
  authorities: 'SIGSTORE_ROOT_FILE',
  certificateLog: 'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
  log: 'SIGSTORE_REKOR_PUBLIC_KEY',
  timestamps: 'SIGSTORE_TSA_CERTIFICATE_FILE',
} as const;

/** What is demanded beside a signature. */
export interface DemandedEvidence {
  readonly evidence: EvidenceDemand;
  /** where the trusted root came from, where nobody named it */
  readonly origin?: TrustSource;
}

/** What is demanded beside the signature of an identity, and beside that of a key. */
export async function loadEvidenceDemand(
  context: CommandContext,
  flags: Flags,
  expected: 'identities',
  options?: TrustOptions,
): Promise<DemandedEvidence>;
export async function loadEvidenceDemand(
  context: CommandContext,
  flags: Flags,
  expected: 'keys',
  options?: TrustOptions,
): Promise<DemandedEvidence | undefined>;
/**
 * What is demanded beside a signature. For a key nothing is unless somebody says whom to believe about it: a trusted root, or the variable
 * that names the log's key. For an identity it is what the command line names, else the variables, else what `initialize` fetched, else the
 * public instance's root that is built in.
 *
 * @throws CliError `usage` for flags that need a trusted root or say two things; `file-missing`, `file-unreadable`, `input-too-large`; TrustError
 * as `decodeTrustedRoot`; as `loadTrust` of keyless
 */
export async function loadEvidenceDemand(
  context: CommandContext,
  flags: Flags,
  expected: 'keys' | 'identities',
  options: TrustOptions = {},
): Promise<DemandedEvidence | undefined> {
  const loaded = await loadTrustedRoot(context, flags, expected, options);
  const { 'use-signed-timestamps': signedTimestamps, 'insecure-ignore-sct': ignoreScts } = flags;
  const witnesses = await witnessesAsked(flags);
  if (loaded === undefined) {
    const lost = signedTimestamps
      ? 'use-signed-timestamps'
      : witnesses !== undefined
        ? 'witness-key'
        : flags['rekor-url'] === undefined
          ? undefined
          : 'rekor-url';
    if (lost !== undefined)
      throw new CliError(
        'usage',
        `--${lost} needs --trusted-root FILE, which says whose log entries and timestamps are believed`,
      );
    return undefined;
  }
  if (ignoreScts && expected === 'identities')
    context.warn('Skipping SCT verification: a certificate that no certificate log has seen is accepted.');
  const { trustedRoot, origin } = loaded;
  const evidence: EvidenceDemand = {
    trustedRoot,
    ignoreLog: ignoresLog(flags),
    ignoreScts,
    signedTimestamps,
    now: context.now(),
    // As cosign has it: where nobody lists those below the root, those count that lie beside the certificate.
    ...(namesRootAlone(flags) ? { carriedChain: true } : {}),
    ...(witnesses === undefined ? {} : { witnesses }),
  };
  return { evidence, ...(origin === undefined ? {} : { origin }) };
}

async function witnessesAsked(flags: Flags): Promise<WitnessDemand | undefined> {
  const { 'witness-key': vkeys, 'witness-threshold': threshold } = flags;
  if (vkeys.length === 0) {
    if (threshold !== undefined)
      throw new CliError('usage', '--witness-threshold needs --witness-key: which witnesses?');
    return undefined;
  }
  if (ignoresLog(flags))
    throw new CliError(
      'usage',
      '--witness-key asks what witnesses saw of a log, and --insecure-ignore-tlog asks for no log',
    );
  return (await import('./witnesses.ts')).demandWitnesses(vkeys, threshold);
}

/** How a trusted root is looked for that nobody names. */
export interface TrustOptions {
  /** asks for the newest, however lately it was asked for */
  readonly fresh?: boolean;
}

interface LoadedRoot {
  readonly trustedRoot: TrustedRoot;
  readonly origin?: TrustSource;
}

async function loadTrustedRoot(
  context: CommandContext,
  flags: Flags,
  expected: 'keys' | 'identities',
  options: TrustOptions,
): Promise<LoadedRoot | undefined> {
  const own = await ownPki(context, flags);
  const file = flags['trusted-root'];
  if (file !== undefined) {
    if (own !== undefined)
      throw new CliError('usage', '--trusted-root says who may certify and give timestamps: leave the other files out');
    // Loaded only now: a key alone needs nothing of certificates and logs.
    return { trustedRoot: await (await import('./trusted-root.ts')).readTrustedRoot(context, file) };
  }
  const rest = await loadRest(context, flags, expected, own !== undefined, options);
  return rest === undefined || own === undefined ? rest : { ...rest, trustedRoot: { ...rest.trustedRoot, ...own } };
}

async function loadRest(
  context: CommandContext,
  flags: Flags,
  expected: 'keys' | 'identities',
  own: boolean,
  options: TrustOptions,
): Promise<LoadedRoot | undefined> {
  const has = (name: keyof typeof VARIABLES): boolean => (context.env[VARIABLES[name]] ?? '') !== '';
  // Of one's own authorities one may also believe no log: then nothing more is needed.
  const enough = own && ignoresLog(flags) && (expected === 'keys' || flags['insecure-ignore-sct']);
  // For a key one variable says it all, and nothing of keyless signing is loaded.
  if (enough || (expected === 'keys' && has('log'))) {
    const { readTrustedRootParts } = await import('./trusted-root.ts');
    return { trustedRoot: await readTrustedRootParts(context, VARIABLES) };
  }
  if (expected === 'keys' && !own) return undefined;
  return (await import('./default-trust.ts')).loadDefaultTrust(context, options);
}

function namesRootAlone(flags: Flags): boolean {
  const named = flags['ca-roots'] ?? flags['certificate-chain'];
  return named !== undefined && flags['ca-intermediates'] === undefined;
}

function ignoresLog(flags: Flags): boolean {
  return flags['insecure-ignore-tlog'] || flags['private-infrastructure'];
}

async function ownPki(context: CommandContext, flags: Flags): Promise<OwnPki | undefined> {
  const asked = Object.keys(PKI_FLAGS).some((name) => flags[name as keyof typeof PKI_FLAGS] !== undefined);
  return asked ? (await import('./own-pki.ts')).readOwnPki(context, flags) : undefined;
}
