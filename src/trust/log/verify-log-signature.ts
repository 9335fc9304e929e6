// SPDX-License-Identifier: Apache-2.0
import { verifyWith, type SignatureAlgorithm } from '../certificate/signature-algorithm.ts';
import type { PublicKey, PublicKeyAlgorithm } from '../key/public-key.ts';

/**
 * Whether a log signed this with its key, be it a checkpoint or the promise of an entry: with SHA-256, as Rekor v1 does on every
 * curve, or with the curve's own digest, as Rekor v2 does. Pure Ed25519.
 */
export function verifyLogSignature(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  return algorithmsOf(key.algorithm).some((algorithm) => verifyWith(algorithm, key, message, signature));
}

function algorithmsOf(algorithm: PublicKeyAlgorithm): readonly SignatureAlgorithm[] {
  switch (algorithm) {
    case 'ecdsa-p256':
      return ['ecdsa-sha256'];
    case 'ecdsa-p384':
      return ['ecdsa-sha256', 'ecdsa-sha384'];
    case 'ecdsa-p521':
      return ['ecdsa-sha256', 'ecdsa-sha512'];
    case 'ed25519':
      return ['ed25519'];
    default:
      return ['rsa-sha256'];
  }
}
