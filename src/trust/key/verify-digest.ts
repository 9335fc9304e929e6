// SPDX-License-Identifier: Apache-2.0
import { constants, createPublicKey, publicDecrypt, timingSafeEqual } from 'node:crypto';
import type { LogDigest, LogDigestAlgorithm } from '../log/canonical-body.ts';
import type { EcdsaAlgorithm } from './curve.ts';
import { verifyPrehashedEcdsa } from './prehashed-ecdsa.ts';
import { verifyPrehashedEd25519 } from './prehashed-ed25519.ts';
import type { KeyOctets } from './public-key.ts';
import type { SignatureScheme } from './verify-signature.ts';

/** The digests under which a key signs here. */
const SCHEMES: Readonly<Record<EcdsaAlgorithm, Partial<Record<LogDigestAlgorithm, SignatureScheme>>>> = {
  'ecdsa-p256': { sha256: 'ecdsa-p256-sha256' },
  'ecdsa-p384': { sha256: 'ecdsa-p384-sha256', sha384: 'ecdsa-p384-sha384' },
  'ecdsa-p521': { sha256: 'ecdsa-p521-sha256', sha512: 'ecdsa-p521-sha512' },
};

/** What stands before a SHA-256 digest in a DigestInfo. @see https://www.rfc-editor.org/rfc/rfc8017#section-9.2 note 1 */
const SHA256_INFO: Uint8Array = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/**
 * How a key would sign what has this kind of digest; `undefined` if such a digest alone does not decide whether it did. Ed25519 has none:
 * it may have signed the octets.
 */
export function digestScheme(
  { algorithm }: Pick<KeyOctets, 'algorithm'>,
  digest: LogDigestAlgorithm,
): SignatureScheme | undefined {
  if (algorithm === 'ed25519') return undefined;
  if (isEcdsa(algorithm)) return SCHEMES[algorithm][digest];
  return digest === 'sha256' ? 'rsa-pkcs1-sha256' : undefined;
}

/**
 * Verifies a signature over something of which only the digest is known, and says how it was made; `undefined` if this key did not make it,
 * or its kind of signature cannot be verified so.
 *
 * node:crypto hashes what it verifies: how ECDSA goes by it all the same stands in `prehashed-ecdsa.ts`, the prehashed form of Ed25519 (its
 * digest is SHA-512) in `prehashed-ed25519.ts`. RSA is the comparison of the one right encoding.
 */
export async function verifyDigest(
  key: KeyOctets,
  { algorithm, bytes }: LogDigest,
  signature: Uint8Array,
): Promise<SignatureScheme | undefined> {
  if (key.algorithm === 'ed25519' && algorithm === 'sha512')
    return (await verifyPrehashedEd25519(key, bytes, signature)) ? 'ed25519ph' : undefined;
  const scheme = digestScheme(key, algorithm);
  if (scheme === undefined) return undefined;
  const holds = isEcdsa(key.algorithm)
    ? verifyPrehashedEcdsa(key.algorithm, key, bytes, signature)
    : verifyRsa(key, bytes, signature);
  return holds ? scheme : undefined;
}

function isEcdsa(algorithm: KeyOctets['algorithm']): algorithm is EcdsaAlgorithm {
  return Object.hasOwn(SCHEMES, algorithm);
}

// RFC 8017 section 8.2.2: what the signature opens to is compared with the whole encoding, and nothing of it is parsed.
function verifyRsa({ spki }: KeyOctets, digest: Uint8Array, signature: Uint8Array): boolean {
  const length = signature.byteLength;
  const padding = length - 3 - SHA256_INFO.byteLength - digest.byteLength;
  if (padding < 8) return false;
  const expected = Buffer.concat([Buffer.of(0, 1), Buffer.alloc(padding, 0xff), Buffer.of(0), SHA256_INFO, digest]);
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const opened = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
    return opened.byteLength === expected.byteLength && timingSafeEqual(opened, expected);
  } catch {
    return false;
  }
}
