// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { decodeBase64, encodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { checkScrypt, deriveScrypt, type ScryptParameters } from './key-derivation.ts';
import type { LockedKey } from './locked-key.ts';
import { encodePem } from './pem.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 24;
const SALT_BYTES = 32;
const STANDARD: ScryptParameters = { N: 65536, r: 8, p: 1 };

type JsonObject = { readonly [member: string]: Json };

/**
 * Reads the JSON in cosign's PEM block. The costs of scrypt are taken from it, because older files have N=32768, but not any.
 *
 * @throws TrustError `key-malformed`, `key-unsupported`, `kdf-too-expensive`; WireError as parsing does
 * @see https://github.com/secure-systems-lab/go-securesystemslib/blob/main/encrypted/encrypted.go
 */
export function readCosignKey(json: Uint8Array, what: string): LockedKey {
  const file = parseJson(json, { what, maxDepth: 8 });
  const kdf = member(file, 'kdf', what);
  const cipher = member(file, 'cipher', what);
  requireName(kdf, 'scrypt', what);
  requireName(cipher, 'nacl/secretbox', what);
  const parameters = member(kdf, 'params', what);
  const costs: ScryptParameters = {
    N: count(parameters, 'N', what),
    r: count(parameters, 'r', what),
    p: count(parameters, 'p', what),
  };
  checkScrypt(costs, what);
  const salt = octets(kdf, 'salt', what);
  const nonce = octets(cipher, 'nonce', what);
  const ciphertext = octets(file, 'ciphertext', what);
  if (nonce.byteLength !== NONCE_BYTES)
    throw malformed(what, `a nonce of ${nonce.byteLength} bytes, expected ${NONCE_BYTES}`);
  return {
    unlock: async (password) => {
      const [key, secretbox] = await Promise.all([deriveScrypt(password, salt, costs, KEY_BYTES), loadSecretbox()]);
      try {
        return secretbox(key, nonce).decrypt(ciphertext);
      } catch {
        return undefined; // the authenticator does not hold: another password, or another ciphertext
      }
    },
  };
}

/** Writes a private key as cosign does: PKCS#8 in a secretbox under scrypt(password), in JSON, in PEM. */
export async function encodeCosignKey(pkcs8: Uint8Array, password: Uint8Array): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const [key, secretbox] = await Promise.all([deriveScrypt(password, salt, STANDARD, KEY_BYTES), loadSecretbox()]);
  const file = {
    kdf: { name: 'scrypt', params: STANDARD, salt: encodeBase64(salt) },
    cipher: { name: 'nacl/secretbox', nonce: encodeBase64(nonce) },
    ciphertext: encodeBase64(secretbox(key, nonce).encrypt(pkcs8)),
  };
  return encodePem('ENCRYPTED SIGSTORE PRIVATE KEY', new TextEncoder().encode(JSON.stringify(file)));
}

type Secretbox = (
  key: Uint8Array,
  nonce: Uint8Array,
) => {
  encrypt(plaintext: Uint8Array): Uint8Array;
  decrypt(ciphertext: Uint8Array): Uint8Array;
};

// OpenSSL has no XSalsa20. Loaded while scrypt runs. @see https://nacl.cr.yp.to/secretbox.html
async function loadSecretbox(): Promise<Secretbox> {
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js');
  return xsalsa20poly1305;
}

function member(value: Json, name: string, what: string): JsonObject {
  const found = isJsonObject(value) ? value[name] : undefined;
  if (!isJsonObject(found)) throw malformed(what, `no object '${name}'`);
  return found;
}

function requireName(value: JsonObject, expected: string, what: string): void {
  const { name } = value;
  if (name === expected) return;
  const found = typeof name === 'string' ? printable(name, 30) : 'nothing';
  throw new TrustError('key-unsupported', `${what} is encrypted with ${found}, expected ${expected}`);
}

function count(value: JsonObject, name: string, what: string): number {
  const found = value[name];
  if (typeof found !== 'number' || !Number.isSafeInteger(found)) throw malformed(what, `no whole number '${name}'`);
  return found;
}

function octets(value: Json, name: string, what: string): Uint8Array {
  const found = isJsonObject(value) ? value[name] : undefined;
  if (typeof found !== 'string') throw malformed(what, `no text '${name}'`);
  return decodeBase64(found, `${what}, '${name}',`);
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('key-malformed', `${what} is no encrypted key by cosign: it has ${found}`);
}
