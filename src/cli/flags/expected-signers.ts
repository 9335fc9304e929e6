// SPDX-License-Identifier: Apache-2.0
import type { ExpectedSigners } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import type { TrustSource } from '../output/trust-origin.ts';
import { identityAsked, loadIdentities, type IDENTITY_FLAGS } from './identity.ts';
import { loadPublicKeys, type KEY_FLAG } from './key.ts';
import type { PKI_FLAGS } from './pki.ts';
import { loadEvidenceDemand, type TRUST_FLAGS, type TrustOptions } from './trust.ts';

type Flags = FlagValues<typeof KEY_FLAG> &
  FlagValues<typeof IDENTITY_FLAGS> &
  FlagValues<typeof TRUST_FLAGS> &
  FlagValues<typeof PKI_FLAGS>;

/** Who must have sealed, and where it was read whom to believe about that. */
export interface LoadedSigners {
  readonly signers: ExpectedSigners;
  /** where the trusted root came from, where nobody named it */
  readonly origin?: TrustSource;
}

/**
 * Who must have sealed, as the flags of a verifying command say: keys, or identities.
 *
 * @param command its name, for an example
 * @throws CliError `usage` where neither is given; as {@link loadSigners}
 */
export async function loadExpectedSigners(
  context: CommandContext,
  flags: Flags,
  command: string,
  options: TrustOptions = {},
): Promise<LoadedSigners> {
  if (flags.key.length > 0 || identityAsked(flags)) return loadSigners(context, flags, options);
  throw new CliError('usage', '--key is required: whose seal is expected?', {
    hint: `for example: bulla ${command} --key cosign.pub IMAGE; or an identity: --certificate-identity and --certificate-oidc-issuer`,
  });
}

/**
 * The same, where no key is as much as an identity that is not named.
 *
 * @throws CliError `usage` where both are given; as `loadIdentities`, `loadPublicKeys` and `loadEvidenceDemand`
 */
export async function loadSigners(
  context: CommandContext,
  flags: Flags,
  options: TrustOptions = {},
): Promise<LoadedSigners> {
  if (flags.key.length === 0) {
    const identities = await loadIdentities(context, flags);
    const { evidence, ...whence } = await loadEvidenceDemand(context, flags, 'identities', options);
    return { signers: { kind: 'identities', identities, evidence }, ...whence };
  }
  if (identityAsked(flags)) {
    throw new CliError(
      'usage',
      'exactly one of: key reference (--key) or certificate identity (--certificate-identity or --certificate-identity-regexp), must be provided',
    );
  }
  const keys = await loadPublicKeys(context, flags.key);
  const { evidence, ...whence } = (await loadEvidenceDemand(context, flags, 'keys', options)) ?? {};
  return { signers: { kind: 'keys', keys, ...(evidence === undefined ? {} : { evidence }) }, ...whence };
}
