// SPDX-License-Identifier: Apache-2.0
import { verify } from 'node:crypto';

/**
 * Whether a key that is used once made a signature. No object is made of the key: a log verifies thousands a second by ever new ones, and collecting
 * their objects stops everything for 20 ms twice a second.
 *
 * @param digest `null` for a key that hashes by itself
 * @param spki DER SubjectPublicKeyInfo
 */
export function verifyOnce(
  digest: string | null,
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength);
  try {
    return verify(digest, message, { key, format: 'der', type: 'spki' }, signature);
  } catch {
    return false; // a library that throws at a signature has not verified it
  }
}
