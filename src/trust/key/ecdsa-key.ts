// SPDX-License-Identifier: Apache-2.0
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { CURVES, isOnCurve, type EcdsaAlgorithm } from './curve.ts';
import type { PublicKey } from './public-key.ts';

const ALGORITHMS = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521'] as const;
/** as messages call them */
const NAMES: Readonly<Record<EcdsaAlgorithm, string>> = {
  'ecdsa-p256': 'P-256',
  'ecdsa-p384': 'P-384',
  'ecdsa-p521': 'P-521',
};

/**
 * An ECDSA key from its SubjectPublicKeyInfo, if that is in the one usual encoding; `undefined` if not, which says nothing against it. Asking
 * the library for the kind and encoding of a key costs six times as much as importing it.
 *
 * The library's own form is made only for whoever verifies with it: a log has the digests of what was signed, so that it needs no more than the
 * point, and what the library keeps of thousands of keys costs it a tenth of its time. The hint too is computed for whoever asks.
 *
 * @param what names its place in errors
 * @throws TrustError `key-malformed` for coordinates that are those of no point
 * @see https://www.rfc-editor.org/rfc/rfc5480
 */
export function ecdsaKey(spki: Uint8Array, what: string): PublicKey | undefined {
  const algorithm = ALGORITHMS.find((one) => {
    const { head, octets } = CURVES[one];
    return spki.length === head.length + 2 * octets && sameOctets(spki.subarray(0, head.length), head);
  });
  if (algorithm === undefined) return undefined;
  const curve = CURVES[algorithm];
  if (!isOnCurve(curve, spki.subarray(curve.head.length)))
    throw new TrustError('key-malformed', `${what} holds a broken ${NAMES[algorithm]} key`);
  let object: KeyObject | undefined;
  return {
    algorithm,
    spki,
    get object() {
      return (object ??= createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }));
    },
    get hint() {
      return hash('sha256', spki, 'base64');
    },
  };
}
