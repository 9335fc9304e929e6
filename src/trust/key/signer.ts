// SPDX-License-Identifier: Apache-2.0
import { sign } from 'node:crypto';
import { TrustError } from '../error.ts';
import type { PrivateKey } from './private-key.ts';
import type { PublicKey, PublicKeyAlgorithm } from './public-key.ts';
import type { SignatureScheme } from './verify-signature.ts';

/** Something that signs: a key in memory here, a KMS or a short-lived certificate elsewhere. */
export interface Signer {
  readonly publicKey: PublicKey;
  /** who certifies the key, if anybody does: DER, the certificate of `publicKey` first, then those above it */
  readonly certificate?: readonly [Uint8Array, ...Uint8Array[]];
  /** Signs the message itself, not a digest of it. ECDSA signatures are DER. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/**
 * Signs with a key in memory. Unless told otherwise: SHA-256 with ECDSA on every curve and with RSA (PKCS #1 v1.5), pure Ed25519. That is
 * what cosign 2 writes and what both cosign 2 and 3 verify unless told otherwise. What goes into a log of Rekor v2 must be signed as
 * `loggedScheme` says.
 *
 * @throws TrustError `key-unsupported` for a scheme of another kind of key
 * @example
 * const signer = keySigner(key, loggedScheme(key.publicKey));
 */
export function keySigner(key: PrivateKey, scheme: SignatureScheme = familiarScheme(key.publicKey.algorithm)): Signer {
  const { publicKey, object } = key;
  const kind = publicKey.algorithm.startsWith('rsa-') ? 'rsa-pkcs1' : publicKey.algorithm;
  if (!scheme.startsWith(kind))
    throw new TrustError('key-unsupported', `a key of type ${publicKey.algorithm} cannot sign as ${scheme}`);
  if (scheme === 'ed25519ph') return { publicKey, sign: (message) => signPrehashed(key, message) };
  const digest = scheme === 'ed25519' ? null : scheme.slice(scheme.lastIndexOf('-') + 1);
  return { publicKey, sign: async (message) => new Uint8Array(sign(digest, message, object)) };
}

/**
 * How a key signs what a log of Rekor v2 is to take, and what a certificate is for: SHA-384 on P-384, SHA-512 on P-521, Ed25519ph. A log
 * keeps no word of how a signature was made, so that there is one way for each kind of key.
 */
export function loggedScheme({ algorithm }: PublicKey): SignatureScheme {
  switch (algorithm) {
    case 'ecdsa-p384':
      return 'ecdsa-p384-sha384';
    case 'ecdsa-p521':
      return 'ecdsa-p521-sha512';
    case 'ed25519':
      return 'ed25519ph';
    default:
      return familiarScheme(algorithm);
  }
}

function familiarScheme(algorithm: PublicKeyAlgorithm): SignatureScheme {
  switch (algorithm) {
    case 'ed25519':
      return 'ed25519';
    case 'ecdsa-p256':
    case 'ecdsa-p384':
    case 'ecdsa-p521':
      return `${algorithm}-sha256`;
    default:
      return 'rsa-pkcs1-sha256';
  }
}

// RFC 8032 section 5.1: Ed25519ph, which node:crypto does not offer.
async function signPrehashed({ object }: PrivateKey, message: Uint8Array): Promise<Uint8Array> {
  const { ed25519ph } = await import('@noble/curves/ed25519.js');
  const { d = '' } = object.export({ format: 'jwk' });
  return ed25519ph.sign(message, new Uint8Array(Buffer.from(d, 'base64url')));
}
