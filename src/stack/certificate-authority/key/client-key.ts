// SPDX-License-Identifier: Apache-2.0
import { decodePublicKey, TrustError, type PublicKey } from '../../../trust/index.ts';
import { WireError } from '../../../wire/index.ts';
import { CertificateRefusal } from '../refusal.ts';
import { rsaWeakness } from './rsa-weakness.ts';

/** The kinds of key that are certified. */
export type ClientKeyKind = 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'ed25519' | 'rsa';

export const CLIENT_KEY_KINDS: readonly ClientKeyKind[] = ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa'];

const MAX_BYTES = 16 * 1024;

/**
 * Reads the public key that somebody wants certified: PEM or DER.
 *
 * @throws CertificateRefusal `key-refused`
 */
export function readClientKey(content: Uint8Array): PublicKey {
  if (content.byteLength > MAX_BYTES)
    throw new CertificateRefusal(
      'key-refused',
      `the public key has ${content.byteLength} bytes, at most ${MAX_BYTES} are read`,
    );
  // Nothing but PEM and DER: other forms of keys are not asked to be certified by any client.
  if (content[0] !== 0x2d && content[0] !== 0x30)
    throw new CertificateRefusal(
      'key-refused',
      'the public key supplied in the request could not be parsed: it is neither PEM nor DER',
    );
  try {
    return decodePublicKey(content, 'the request');
  } catch (cause) {
    throw keyRefusal('the public key supplied in the request could not be parsed', cause);
  }
}

/**
 * Refuses keys that are weak, or of a kind that is not certified here.
 *
 * @throws CertificateRefusal `key-refused`
 * @see https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md
 */
export function requireSoundKey(key: PublicKey, kinds: readonly ClientKeyKind[]): void {
  const kind = key.algorithm.startsWith('rsa-') ? 'rsa' : key.algorithm;
  if (!kinds.some((accepted) => accepted === kind))
    throw new CertificateRefusal(
      'key-refused',
      `the public key is of type ${key.algorithm}, expected ${kinds.join(', ')}`,
    );
  const weakness = kind === 'rsa' ? rsaWeakness(key) : undefined;
  if (weakness !== undefined)
    throw new CertificateRefusal('key-refused', `the public key supplied in the request is insecure: ${weakness}`);
}

/** What `trust` says of a key or request, as a refusal. Anything else is not the client's fault. */
export function keyRefusal(what: string, cause: unknown): unknown {
  if (cause instanceof TrustError || cause instanceof WireError)
    return new CertificateRefusal('key-refused', `${what}: ${cause.message}`, { cause });
  return cause;
}
