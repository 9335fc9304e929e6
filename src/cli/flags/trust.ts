// SPDX-License-Identifier: Apache-2.0
import type { EvidenceDemand, TrustedRoot } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';

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

type Flags = FlagValues<typeof TRUST_FLAGS>;

/** cosign's variables, each with a file that is one part of a trusted root. */
const VARIABLES = {
  authorities: 'SIGSTORE_ROOT_FILE',
  certificateLog: 'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
  log: 'SIGSTORE_REKOR_PUBLIC_KEY',
  timestamps: 'SIGSTORE_TSA_CERTIFICATE_FILE',
} as const;

/**
 * What is demanded beside a signature. For a key nothing is unless somebody says whom to believe about it: a trusted root, or the variable
 * that names the log's key.
 *
 * @throws CliError `usage` if an identity is asked and nobody says who may certify it; `file-missing`, `file-unreadable`, `input-too-large`;
 * TrustError as `decodeTrustedRoot`
 */
export async function loadEvidenceDemand(
  context: CommandContext,
  flags: Flags,
  expected: 'keys' | 'identities',
): Promise<EvidenceDemand | undefined> {
  const trustedRoot = await loadTrustedRoot(context, flags, expected);
  const { 'use-signed-timestamps': signedTimestamps, 'insecure-ignore-sct': ignoreScts } = flags;
  if (trustedRoot === undefined) {
    const lost = signedTimestamps
      ? 'use-signed-timestamps'
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
  return {
    trustedRoot,
    ignoreLog: flags['insecure-ignore-tlog'] || flags['private-infrastructure'],
    ignoreScts,
    signedTimestamps,
    now: context.now(),
  };
}

async function loadTrustedRoot(
  context: CommandContext,
  flags: Flags,
  expected: 'keys' | 'identities',
): Promise<TrustedRoot | undefined> {
  const file = flags['trusted-root'];
  // Loaded only now: a key alone needs nothing of certificates and logs.
  if (file !== undefined) return (await import('./trusted-root.ts')).readTrustedRoot(context, file);
  const variable = expected === 'keys' ? VARIABLES.log : VARIABLES.authorities;
  if ((context.env[variable] ?? '') !== '') {
    const { readTrustedRootParts } = await import('./trusted-root.ts');
    return readTrustedRootParts(context, VARIABLES);
  }
  if (expected === 'keys') return undefined;
  throw new CliError(
    'usage',
    'verification of an identity needs --trusted-root FILE in this version: who may certify identities?',
    {
      hint: 'trusted_root.json of the public instance or of your own; cosign keeps the one it downloaded below ~/.sigstore/root',
    },
  );
}
