// SPDX-License-Identifier: Apache-2.0
import { verify } from 'node:crypto';
import type { KeyOctets, PublicKey } from './public-key.ts';
import { verifyOnce } from './verify-once.ts';

/** How a signature was made. */
export type SignatureScheme =
  | 'ecdsa-p256-sha256'
  | 'ecdsa-p384-sha256'
  | 'ecdsa-p384-sha384'
  | 'ecdsa-p521-sha256'
  | 'ecdsa-p521-sha512'
  | 'ed25519'
  | 'ed25519ph'
  | 'rsa-pkcs1-sha256';

type Digested = Exclude<SignatureScheme, 'ed25519' | 'ed25519ph'>;

/**
 * Verifies a signature and says how it was made; `undefined` if this key did not make it over this message.
 *
 * One key accepts what cosign 2 writes (SHA-256 on every curve, pure Ed25519) and what cosign 3 writes (SHA-384 on P-384, SHA-512
 * on P-521, Ed25519ph): the same key holder said the same, in another spelling. ECDSA signatures must be DER to the last bit.
 */
export async function verifySignature(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<SignatureScheme | undefined> {
  return await findScheme(key, message, signature, (digest) => verifies(digest, key, message, signature));
}

/** As `verifySignature`, by a key that is used once: no object of the library is made of it. */
export async function verifySignatureOnce(
  key: KeyOctets,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<SignatureScheme | undefined> {
  return await findScheme(key, message, signature, (digest) => verifyOnce(digest, key.spki, message, signature));
}

/** How it was made, if so that the library verifies it; `digest` is `null` where the key hashes by itself. */
async function findScheme(
  { algorithm, spki }: KeyOctets,
  message: Uint8Array,
  signature: Uint8Array,
  holds: (digest: string | null) => boolean,
): Promise<SignatureScheme | undefined> {
  if (algorithm !== 'ed25519') return schemesOf(algorithm).find((scheme) => holds(digestOf(scheme)));
  if (signature.byteLength !== 64) return undefined;
  if (holds(null)) return 'ed25519';
  // RFC 8032 section 5.1: Ed25519ph, which node:crypto does not offer. Strict decoding of points, as OpenSSL has it.
  const { ed25519ph } = await import('@noble/curves/ed25519.js');
  return ed25519ph.verify(signature, message, spki.subarray(-32), { zip215: false }) ? 'ed25519ph' : undefined;
}

function schemesOf(algorithm: Exclude<PublicKey['algorithm'], 'ed25519'>): readonly Digested[] {
  switch (algorithm) {
    case 'ecdsa-p256':
      return ['ecdsa-p256-sha256'];
    case 'ecdsa-p384':
      return ['ecdsa-p384-sha256', 'ecdsa-p384-sha384'];
    case 'ecdsa-p521':
      return ['ecdsa-p521-sha256', 'ecdsa-p521-sha512'];
    default:
      return ['rsa-pkcs1-sha256'];
  }
}

function digestOf(scheme: Digested): string {
  return scheme.slice(scheme.lastIndexOf('-') + 1);
}

// A library that throws at a signature has not verified it.
function verifies(digest: string | null, key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(digest, message, key.object, signature);
  } catch {
    return false;
  }
}
