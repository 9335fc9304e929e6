// SPDX-License-Identifier: Apache-2.0
import { verify } from 'node:crypto';
import { DerTag, type DerReader } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import type { PublicKey } from '../key/public-key.ts';

/** How certificates and requests may be signed. */
export type SignatureAlgorithm =
  | 'ecdsa-sha256'
  | 'ecdsa-sha384'
  | 'ecdsa-sha512'
  | 'rsa-sha256'
  | 'rsa-sha384'
  | 'rsa-sha512'
  | 'ed25519';

// RFC 5758 section 3.2, RFC 4055 section 5, RFC 8410 section 3.
const OIDS: Readonly<Record<SignatureAlgorithm, string>> = {
  'ecdsa-sha256': '1.2.840.10045.4.3.2',
  'ecdsa-sha384': '1.2.840.10045.4.3.3',
  'ecdsa-sha512': '1.2.840.10045.4.3.4',
  'rsa-sha256': '1.2.840.113549.1.1.11',
  'rsa-sha384': '1.2.840.113549.1.1.12',
  'rsa-sha512': '1.2.840.113549.1.1.13',
  ed25519: '1.3.101.112',
};
const ALGORITHMS: ReadonlyMap<string, string> = new Map(Object.entries(OIDS).map(([name, oid]) => [oid, name]));
/** Algorithms that are known, and not trusted: for messages. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.4', 'RSA with MD5'],
  ['1.2.840.113549.1.1.5', 'RSA with SHA-1'],
  ['1.2.840.113549.1.1.10', 'RSA-PSS'],
  ['1.2.840.10045.4.1', 'ECDSA with SHA-1'],
  ['1.2.840.10040.4.3', 'DSA with SHA-1'],
]);

/** What signatures are accepted, in words. */
export const ACCEPTED_ALGORITHMS = 'ECDSA or RSA with SHA-256, SHA-384 or SHA-512, or Ed25519';

/**
 * Reads an AlgorithmIdentifier. An algorithm that is not accepted is given by a name that is none of `SignatureAlgorithm`: whether it is
 * good enough is for verification to say.
 *
 * @throws TrustError `der-malformed`
 */
export function readSignatureAlgorithm(identifier: DerReader): string {
  const oid = identifier.oid();
  const algorithm = ALGORITHMS.get(oid);
  if (algorithm === undefined) return REFUSED.get(oid) ?? oid;
  // RFC 4055 section 5: NULL, or nothing, for RSA. The others have no parameters.
  if (familyOf(algorithm) === 'rsa' && identifier.peek() === DerTag.null) identifier.null();
  identifier.end();
  return algorithm;
}

/** The AlgorithmIdentifier of an algorithm. */
export function encodeSignatureAlgorithm(algorithm: SignatureAlgorithm): Uint8Array {
  const parameters = familyOf(algorithm) === 'rsa' ? [der.nullValue()] : [];
  return der.sequence(der.oid(OIDS[algorithm]), ...parameters);
}

/** Whether certificates may be signed in this way by a key of this kind. */
export function isAcceptedAlgorithm(algorithm: string, key: PublicKey): algorithm is SignatureAlgorithm {
  return Object.hasOwn(OIDS, algorithm) && familyOf(algorithm) === familyOf(key.algorithm);
}

/** Whether this key signed the message with this algorithm. One that is not accepted verifies nothing. */
export function verifyWith(algorithm: string, key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isAcceptedAlgorithm(algorithm, key)) return false;
  const digest = algorithm === 'ed25519' ? null : algorithm.slice(algorithm.indexOf('-') + 1);
  try {
    return verify(digest, message, key.object, signature);
  } catch {
    return false; // a library that throws at a signature has not verified it
  }
}

function familyOf(algorithm: string): string {
  return algorithm.split('-', 1)[0] ?? algorithm;
}
