// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

/** What cosign calls kinds of predicates, then names of our own; a name stands for a URI. */
export const PREDICATE_TYPES = {
  custom: 'https://cosign.sigstore.dev/attestation/v1',
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  link: 'https://in-toto.io/Link/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
  'test-result': 'https://in-toto.io/attestation/test-result/v0.1',
  vsa: 'https://slsa.dev/verification_summary/v1',
} as const;

/** A name of {@link PREDICATE_TYPES}. */
export type PredicateName = keyof typeof PREDICATE_TYPES;

/** A kind of predicate as it was asked for. */
export interface PredicateType {
  /** absent where a URI was given */
  readonly name?: PredicateName;
  readonly uri: string;
}

const MAX_URI = 2048;

/**
 * The kind of predicate that a name or URI stands for.
 *
 * @throws TrustError `predicate-type-unknown`
 * @example parsePredicateType('spdxjson').uri // 'https://spdx.dev/Document'
 */
export function parsePredicateType(text: string): PredicateType {
  if (Object.hasOwn(PREDICATE_TYPES, text)) {
    const name = text as PredicateName;
    return { name, uri: PREDICATE_TYPES[name] };
  }
  // RFC 3986, section 3: a scheme, and nothing in it that would need an escape
  if (text.length <= MAX_URI && /^[a-z][a-z0-9+.-]*:[!#-;=?-Z_a-z~[\]@]+$/i.test(text)) return { uri: text };
  throw new TrustError(
    'predicate-type-unknown',
    `invalid predicate type: ${printable(text)}: expected a URI or one of ${Object.keys(PREDICATE_TYPES).join(', ')}`,
  );
}
