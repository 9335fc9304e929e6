// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { readKeyStructure } from '../key/key-structure.ts';
import { publicKeyOf, requireSupported, type PublicKey, type PublicKeyAlgorithm } from '../key/public-key.ts';

/**
 * What stands before the point or key itself: with named curve, uncompressed point, and nothing else, so that what begins so and has
 * this length is the one encoding of the key. RFC 5480 section 2. Not Ed25519, whose points have to be looked at: some are of small order.
 */
const PREFIXES: readonly (readonly [algorithm: PublicKeyAlgorithm, octets: number, prefix: string])[] = [
  ['ecdsa-p256', 91, '3059301306072a8648ce3d020106082a8648ce3d03010703420004'],
  ['ecdsa-p384', 120, '3076301006072a8648ce3d020106052b8104002203620004'],
  ['ecdsa-p521', 158, '30819b301006072a8648ce3d020106052b810400230381860004'],
];

/**
 * Imports a DER SubjectPublicKeyInfo in its one usual encoding.
 *
 * @param what names its place in errors
 * @throws TrustError `key-unsupported`, `key-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.7
 */
export function importSpki(spki: Uint8Array, what: string): PublicKey {
  const algorithm = quickAlgorithm(spki);
  const type = algorithm ?? requireKey(spki, what);
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new TrustError('key-malformed', `${what} holds a broken ${type} key`, { cause });
  }
  if (algorithm !== undefined) {
    return {
      algorithm,
      spki,
      object,
      // Computed for whoever asks: nobody does who verifies a certificate.
      get hint() {
        return hash('sha256', spki, 'base64');
      },
    };
  }
  const key = publicKeyOf(object, what);
  // The hash of these octets names the key in logs: one key must not have two such names.
  if (!sameOctets(key.spki, spki))
    throw new TrustError('key-unsupported', `${what} holds a key of type ${type} in an unusual encoding`);
  return key;
}

// Asking the library for the kind and encoding of a key costs six times as much as importing it.
function quickAlgorithm(spki: Uint8Array): PublicKeyAlgorithm | undefined {
  const found = PREFIXES.find(
    ([, octets, prefix]) =>
      spki.length === octets && Buffer.from(spki.buffer, spki.byteOffset, prefix.length / 2).toString('hex') === prefix,
  );
  return found?.[0];
}

function requireKey(spki: Uint8Array, what: string): string {
  const structure = readKeyStructure(spki);
  if (structure?.form !== 'spki') throw new TrustError('key-malformed', `${what} holds no public key`);
  requireSupported(structure, what);
  return structure.type ?? 'public';
}
