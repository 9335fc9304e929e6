// SPDX-License-Identifier: Apache-2.0
import {
  compileIdentity,
  FULCIO_CLAIMS,
  TrustError,
  type ExpectedIdentity,
  type FulcioClaim,
  type IdentityPattern,
  type TextPattern,
} from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import { printable } from '../output/printable.ts';

/** What a claim must be, as it was asked for. */
export interface ClaimDemand {
  /** of the claim, or its object identifier */
  readonly name: string;
  readonly pattern: 'exact' | 'expression';
  readonly value: string;
  /** who asks, for errors: `--certificate-claim` */
  readonly by: string;
}

/** An identity that flags ask for, checked. @throws CliError `usage` if it says too little; WireError `expression-malformed` */
export async function compileExpectedIdentity(pattern: IdentityPattern): Promise<ExpectedIdentity> {
  try {
    return await compileIdentity(pattern);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'identity-unspecific') throw error;
    throw new CliError('usage', error.message, { cause: error, hint: 'to accept anybody: --allow-any-identity' });
  }
}

/**
 * The claims that are asked for, each with all that it must be.
 *
 * @throws CliError `usage` for a claim that Fulcio does not certify, one that is asked for twice, and the issuer, which has flags of its own
 */
export function demandedClaims(demands: readonly ClaimDemand[]): Readonly<Partial<Record<FulcioClaim, TextPattern>>> {
  const claims = new Map<FulcioClaim, TextPattern>();
  for (const { name, pattern, value, by } of demands) {
    const claim = claimNamed(name, by);
    const known = claims.get(claim) ?? {};
    if (known[pattern] !== undefined)
      throw new CliError('usage', `${by}: the claim ${claim} is asked for twice, and has one value`);
    claims.set(claim, { ...known, [pattern]: value });
  }
  return Object.fromEntries(claims);
}

function claimNamed(name: string, by: string): FulcioClaim {
  for (const [claim, oid] of FULCIO_CLAIMS) {
    if (name !== claim && name !== oid) continue;
    if (claim !== 'issuer') return claim;
    throw new CliError('usage', `${by}: the issuer is named by --certificate-oidc-issuer, or by issuer in a file`);
  }
  const names = [...FULCIO_CLAIMS.keys()].filter((claim) => claim !== 'issuer');
  throw new CliError(
    'usage',
    `${by}: '${printable(name.slice(0, 80))}' is no claim that a certificate can carry, expected one of ${names.join(', ')}`,
  );
}
