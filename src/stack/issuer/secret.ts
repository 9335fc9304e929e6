// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const SECRET_BYTES = 32;

/** A secret that nobody guesses: 256 random bits in base64url. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** SHA-256 of a secret, as which it is kept and looked up: what is compared says nothing of the secret itself. */
export function digestOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** Whether a secret is the one with this digest, in a time that says nothing of it. */
export function isSecret(given: string, digest: Uint8Array): boolean {
  return timingSafeEqual(digestOfSecret(given), digest);
}
