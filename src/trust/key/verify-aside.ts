// SPDX-License-Identifier: Apache-2.0
import { verify } from 'node:crypto';

/**
 * Whether a key made a signature, off the event loop: a log verifies thousands a second, and has other things to do meanwhile.
 *
 * No object is made of the key, which is used once: collecting thousands of them stops everything for 20 ms twice a second.
 *
 * @param spki DER SubjectPublicKeyInfo
 */
export function verifyAside(
  digest: string,
  spki: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  const key = Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength);
  return new Promise((resolve) => {
    try {
      verify(digest, message, { key, format: 'der', type: 'spki' }, signature, (error, holds) =>
        resolve(error === null && holds),
      );
    } catch {
      resolve(false); // a library that throws at a signature has not verified it
    }
  });
}
