// SPDX-License-Identifier: Apache-2.0
import type { ExpectedSeal } from '../../keyless/index.ts';
import type { KeyAlgorithm, Signer, Witness } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { loadSigner } from './private-key.ts';
import type { SIGNING_FLAGS } from './signing.ts';

/** Flags of every command that seals. */
export type SigningFlags = FlagValues<typeof SIGNING_FLAGS> & { readonly key: readonly string[] };

/** Who seals, who is told of it, and what must come of it. */
export interface SigningPlan {
  readonly signer: Signer;
  readonly witnesses: readonly Witness[];
  /** what a verifier will ask; absent where only the signature can be verified */
  readonly expectation?: ExpectedSeal;
  /** whom the certificate names; absent for a key */
  readonly identity?: { readonly subject: string; readonly issuer: string | null };
  /** PEM, the leaf first; absent for a key without a certificate */
  readonly certificate?: string;
}

/** What the plan is for. */
export interface SigningDemand {
  /** in a format of cosign 2: it has no place for an entry of Rekor v2, and keeps the certificates of a timestamp authority */
  readonly legacy: boolean;
  /** the flags that were on the command line */
  readonly given: ReadonlySet<string>;
  /** what stdin gives is not an answer to a question */
  readonly stdinTaken: boolean;
  /** of the key that is made for an identity; ECDSA on P-256 unless told */
  readonly algorithm?: KeyAlgorithm;
  /** called when all that is at hand was found to be in order, and a certificate is asked for: what needs no signer can be done meanwhile */
  readonly meanwhile?: () => void;
}

const ASKS_FOR_SERVICES = [
  'signing-config',
  'use-signing-config',
  'fulcio-url',
  'rekor-url',
  'timestamp-server-url',
  'issue-certificate',
] as const;

/**
 * Who seals, and with which services. With a key and no word of a service nothing but the key is opened, and nothing of keyless signing is
 * loaded.
 *
 * @throws CliError `usage`, `declined`, `network-forbidden`, and as the key is read; as `openServices`
 */
export async function planSigning(
  context: CommandContext,
  flags: SigningFlags,
  demand: SigningDemand,
): Promise<SigningPlan> {
  const [key, ...others] = flags.key;
  if (others.length > 0) throw new CliError('usage', 'one --key is sealed with at a time');
  const asks = asksForServices(flags);
  const uploads = demand.given.has('tlog-upload') && flags['tlog-upload'];
  if (key === undefined || asks || uploads)
    return (await import('./signing-with-services.ts')).planWithServices(context, flags, demand);
  refuseWithoutServices(flags);
  const signer = await loadSigner(context, key);
  requireAlgorithm(signer, demand.algorithm);
  if (flags.certificate === undefined) return { signer, witnesses: [] };
  return (await import('./own-certificate.ts')).withCertificate(context, signer, flags);
}

/** Whether a flag names services to seal with. */
export function asksForServices(flags: SigningFlags): boolean {
  return ASKS_FOR_SERVICES.some((name) => flags[name] !== undefined && flags[name] !== '' && flags[name] !== false);
}

/** What only services make sense of: to ignore it would seal otherwise than was asked for. */
function refuseWithoutServices(flags: SigningFlags): void {
  if (flags['trusted-root'] !== undefined && flags['trusted-root'] !== '')
    throw new CliError(
      'usage',
      '--trusted-root: with a key alone there are no services to be trusted; give --signing-config too',
    );
  for (const name of ['identity-token', 'oidc-provider', 'oidc-issuer', 'fulcio-auth-flow'] as const) {
    if ((flags[name] ?? '') === '') continue;
    throw new CliError('usage', `--${name} says who one is, and --key seals without that: give one of them`);
  }
  if (flags['certificate-chain'] !== undefined && flags.certificate === undefined)
    throw new CliError('usage', '--certificate-chain needs --certificate: the chain of what?');
}

/** @throws CliError `usage` if the key is of another kind than was asked for */
export function requireAlgorithm({ publicKey }: Signer, algorithm: KeyAlgorithm | undefined): void {
  if (algorithm === undefined || publicKey.algorithm === algorithm) return;
  throw new CliError(
    'usage',
    `--signing-algorithm asks for a key of the kind ${algorithm}, and --key names one of the kind ${publicKey.algorithm}`,
  );
}
