// SPDX-License-Identifier: Apache-2.0
import { pbkdf2, scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { TrustError } from '../error.ts';

/** Parameters of scrypt. @see https://www.rfc-editor.org/rfc/rfc7914#section-2 */
export interface ScryptParameters {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

// Whoever hands over a key file chooses these, so they are bounded before the first byte is allocated.
const MAX_SCRYPT_MEMORY = 256 * 1024 * 1024;
/** N·r·p: eight times what cosign asks for */
const MAX_SCRYPT_WORK = 2 ** 22;
const MAX_PBKDF2_ITERATIONS = 10_000_000;

/** @throws TrustError `kdf-too-expensive`, `key-malformed` if N is no power of two */
export function checkScrypt({ N, r, p }: ScryptParameters, what: string): void {
  const asked = `${what} asks scrypt for N=${N}, r=${r}, p=${p}`;
  if (N < 2 || r < 1 || p < 1 || !Number.isInteger(Math.log2(N))) {
    throw new TrustError('key-malformed', `${asked}, expected a power of two above 1 and positive factors`);
  }
  if (128 * N * r > MAX_SCRYPT_MEMORY || N * r * p > MAX_SCRYPT_WORK) {
    throw new TrustError(
      'kdf-too-expensive',
      `${asked}, at most 256 MiB (128·N·r) and N·r·p = ${MAX_SCRYPT_WORK} are given to it`,
    );
  }
}

/** @throws TrustError `kdf-too-expensive` */
export function checkPbkdf2(iterations: number, what: string): void {
  if (iterations < 1 || iterations > MAX_PBKDF2_ITERATIONS) {
    throw new TrustError(
      'kdf-too-expensive',
      `${what} asks for ${iterations} rounds of PBKDF2, between 1 and ${MAX_PBKDF2_ITERATIONS} are given to it`,
    );
  }
}

/** Derives a key off the main thread; the caller has checked the parameters. */
export async function deriveScrypt(
  password: Uint8Array,
  salt: Uint8Array,
  { N, r, p }: ScryptParameters,
  length: number,
): Promise<Uint8Array> {
  // OpenSSL counts 128·r·(N + p + 2) octets.
  const maxmem = 128 * r * (N + p + 4);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, { N, r, p, maxmem }, (error, key) => {
      if (error instanceof Error) reject(error);
      else resolve(key); // Node says null where Bun says undefined
    });
  });
}

/** Derives a key off the main thread; the caller has checked the parameters. @see https://www.rfc-editor.org/rfc/rfc8018#section-5.2 */
export const derivePbkdf2: (
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
  digest: string,
) => Promise<Uint8Array> = promisify(pbkdf2);
