// SPDX-License-Identifier: Apache-2.0
import type { Attestation, Seal } from '../../image/index.ts';
import { digestHex } from '../../oci/index.ts';
import type { Json } from '../../wire/index.ts';
import type { AuthorityResult } from '../decision.ts';
import type { PreparedPolicy } from './prepared-policy.ts';

/** What a policy may ask to see of the object that runs the image. */
export interface RunContext {
  readonly spec?: Json;
  readonly metadata?: Json;
  readonly typemeta?: Json;
}

/** What a policy may ask to see of the image: its configurations, by platform as `linux/amd64`. */
export interface ImageConfigs {
  readonly config?: Json;
}

/**
 * What `spec.policy` is about: what each satisfied authority has found, in the form that policy-controller gives it (section 2.2, row 4), and
 * the parts of the object and of the image that it asks for. Identities are there for bundles as well.
 */
export function authorityMatches(
  authorities: readonly AuthorityResult[],
  { fetchConfigFile, includeSpec, includeObjectMeta, includeTypeMeta }: NonNullable<PreparedPolicy['program']>,
  { spec = null, metadata = null, typemeta = null, config = null }: RunContext & ImageConfigs,
): Json {
  const satisfied = authorities.filter(({ outcome }) => outcome === 'trusted');
  return {
    authorityMatches: Object.fromEntries(satisfied.map((authority) => [authority.name, matchOf(authority)])),
    ...(fetchConfigFile ? { config } : {}),
    ...(includeSpec ? { spec } : {}),
    ...(includeObjectMeta ? { metadata } : {}),
    ...(includeTypeMeta ? { typemeta } : {}),
  };
}

function matchOf({ kind, seals, attestations }: AuthorityResult): Json {
  if (kind === 'static') return { static: true };
  if (attestations.length === 0) return { signatures: seals.map(signatureOf) };
  const named = attestations.map(({ name, seals: found }) => [name, found.map(attestationOf)] as const);
  return { attestations: Object.fromEntries(named) };
}

function signatureOf({ signer, place }: Seal): { readonly [name: string]: Json } {
  const id = digestHex(place.layer ?? place.manifest);
  if (signer.kind === 'key') return { id, key: signer.key.hint };
  const { subject, claims } = signer.identity;
  return { id, subject, ...claims };
}

function attestationOf(seal: Seal): Json {
  const { statement } = seal as Attestation;
  return {
    ...signatureOf(seal),
    predicateType: statement.predicateType,
    digest: seal.place.layer ?? seal.place.manifest,
  };
}
