// SPDX-License-Identifier: Apache-2.0
import { hash, timingSafeEqual } from 'node:crypto';
import type { PublicKey } from './public-key.ts';

/** RFC 8032 section 2: `dom2(1, "")`, which keeps prehashed signatures apart from pure ones. */
const DOMAIN = Buffer.concat([Buffer.from('SigEd25519 no Ed25519 collisions'), Buffer.of(1, 0)]);

/**
 * Whether a key made a signature in the prehashed form, Ed25519ph, over something of which this is the SHA-512. No library takes the
 * digest: they all hash what they are given.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8032#section-5.1.7
 */
export async function verifyPrehashedEd25519(
  { spki }: Pick<PublicKey, 'spki'>,
  digest: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (digest.byteLength !== 64 || signature.byteLength !== 64) return false;
  const { ed25519 } = await import('@noble/curves/ed25519.js');
  const { Point } = ed25519;
  const { ORDER } = Point.Fn;
  const [key, r] = [spki.subarray(-32), signature.subarray(0, 32)];
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  const k = littleEndian(hash('sha512', Buffer.concat([DOMAIN, r, key, digest]), 'buffer')) % ORDER;
  try {
    // Without the cofactor, and with points in their one spelling, as OpenSSL has it.
    const expected = Point.BASE.multiplyUnsafe(s).subtract(Point.fromBytes(key, false).multiplyUnsafe(k));
    return timingSafeEqual(expected.toBytes(), r);
  } catch {
    return false; // what is no point has signed nothing
  }
}

function littleEndian(octets: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(octets.toReversed()).toString('hex')}`);
}
