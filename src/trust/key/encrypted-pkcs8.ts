// SPDX-License-Identifier: Apache-2.0
import { createDecipheriv } from 'node:crypto';
import { DerReader, DerTag } from '../der/der-reader.ts';
import { TrustError } from '../error.ts';
import { checkPbkdf2, checkScrypt, derivePbkdf2, deriveScrypt } from './key-derivation.ts';
import type { LockedKey } from './locked-key.ts';

const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.9', 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
]);
const CIPHERS: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ['2.16.840.1.101.3.4.1.2', { name: 'aes-128-cbc', keyBytes: 16 }],
  ['2.16.840.1.101.3.4.1.22', { name: 'aes-192-cbc', keyBytes: 24 }],
  ['2.16.840.1.101.3.4.1.42', { name: 'aes-256-cbc', keyBytes: 32 }],
  ['1.2.840.113549.3.7', { name: 'des-ede3-cbc', keyBytes: 24 }],
]);

type Derive = (password: Uint8Array, length: number) => Promise<Uint8Array>;

/**
 * Reads `ENCRYPTED PRIVATE KEY`: PKCS#8 under PBES2, as `openssl pkcs8 -topk8` writes it. Opened here and not by the runtime's
 * library, so that the costs are bounded first and every runtime opens the same files.
 *
 * @throws TrustError `key-malformed`, `key-unsupported`, `kdf-too-expensive`
 * @see https://www.rfc-editor.org/rfc/rfc8018#appendix-A.4
 */
export function readEncryptedPkcs8(der: Uint8Array, what: string): LockedKey {
  try {
    return read(der, what);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'der-malformed') throw error;
    throw new TrustError('key-malformed', `${what} holds a broken encrypted private key`, { cause: error });
  }
}

function read(der: Uint8Array, what: string): LockedKey {
  const key = new DerReader(der, what).sequence();
  const algorithm = key.sequence();
  const ciphertext = key.read(DerTag.octetString);
  key.end();
  requireOid(algorithm.oid(), PBES2, 'encryption', 'PBES2', what);
  const parameters = algorithm.sequence();
  const derive = readDerivation(parameters.sequence(), what);
  const scheme = parameters.sequence();
  const oid = scheme.oid();
  const cipher = CIPHERS.get(oid);
  if (cipher === undefined) throw unsupported(what, `the cipher ${oid}`, 'AES-CBC or triple DES');
  const iv = scheme.read(DerTag.octetString);
  return {
    unlock: async (password) => {
      const secret = await derive(password, cipher.keyBytes);
      try {
        const decipher = createDecipheriv(cipher.name, secret, iv);
        return new Uint8Array(Buffer.concat([decipher.update(ciphertext), decipher.final()]));
      } catch {
        return undefined; // the padding is wrong; by chance it may be right, and then the caller finds no key
      }
    },
  };
}

function readDerivation(algorithm: DerReader, what: string): Derive {
  const oid = algorithm.oid();
  const parameters = algorithm.sequence();
  const salt = parameters.read(DerTag.octetString);
  if (oid === SCRYPT) {
    // RFC 7914 section 7
    const costs = { N: parameters.integer(), r: parameters.integer(), p: parameters.integer() };
    checkScrypt(costs, what);
    return async (password, length) => deriveScrypt(password, salt, costs, length);
  }
  requireOid(oid, PBKDF2, 'key derivation', 'PBKDF2 or scrypt', what);
  const iterations = parameters.integer();
  checkPbkdf2(iterations, what);
  if (parameters.peek() === DerTag.integer) parameters.integer(); // keyLength: the cipher says it too
  // The default of RFC 8018 appendix A.2 is HMAC with SHA-1.
  const prf = parameters.peek() === DerTag.sequence ? parameters.sequence().oid() : '1.2.840.113549.2.7';
  const digest = DIGESTS.get(prf);
  if (digest === undefined)
    throw unsupported(what, `the pseudo-random function ${prf}`, 'HMAC with SHA-1, SHA-256, SHA-384 or SHA-512');
  return async (password, length) => derivePbkdf2(password, salt, iterations, length, digest);
}

function requireOid(found: string, expected: string, role: string, name: string, what: string): void {
  if (found !== expected) throw unsupported(what, `the ${role} ${found}`, name);
}

function unsupported(what: string, found: string, expected: string): TrustError {
  return new TrustError(
    'key-unsupported',
    `${what} is encrypted with ${found}, expected ${expected} (openssl pkcs8 -topk8 converts it)`,
  );
}
