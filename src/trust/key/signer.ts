// SPDX-License-Identifier: Apache-2.0
import { sign } from 'node:crypto';
import type { PrivateKey } from './private-key.ts';
import type { PublicKey } from './public-key.ts';

/** Something that signs: a key in memory here, a KMS or a short-lived certificate elsewhere. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** Signs the message itself, not a digest of it. ECDSA signatures are DER. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * Signs with a key in memory: SHA-256 with ECDSA on every curve and with RSA (PKCS #1 v1.5), pure Ed25519. That is what cosign 2
 * writes and what both cosign 2 and 3 verify unless told otherwise.
 */
export function keySigner({ publicKey, object }: PrivateKey): Signer {
  const digest = publicKey.algorithm === 'ed25519' ? null : 'sha256';
  return { publicKey, sign: async (message) => new Uint8Array(sign(digest, message, object)) };
}
