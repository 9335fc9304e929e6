// SPDX-License-Identifier: Apache-2.0
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { CodedError } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { encodeCosignKey, readCosignKey } from './cosign-key.ts';
import { readEncryptedPkcs8 } from './encrypted-pkcs8.ts';
import { importJwk, isPrivateJwk } from './json-web-key.ts';
import { readKeyFile } from './key-file.ts';
import { readKeyStructure, type KeyStructure } from './key-structure.ts';
import type { LockedKey } from './locked-key.ts';
import { publicKeyOf, requireSupported, type KeyAlgorithm, type PublicKey } from './public-key.ts';

/** A private key, opened. */
export interface PrivateKey {
  readonly publicKey: PublicKey;
  readonly object: KeyObject;
}

/** How a private key is read. */
export interface DecodePrivateKeyOptions {
  /** names the source in errors, for example `cosign.key` */
  readonly what: string;
  /** tried in this order; each try of a file by cosign takes a fifth of a second and 64 MiB */
  readonly passwords?: readonly Uint8Array[];
}

const FORMS: ReadonlyMap<KeyStructure['form'], 'pkcs8' | 'sec1' | 'pkcs1'> = new Map([
  ['pkcs8', 'pkcs8'],
  ['sec1', 'sec1'],
  ['pkcs1', 'pkcs1'],
]);

/** True if `decodePrivateKey` will want a password. Never throws: what is broken needs none. */
export function privateKeyNeedsPassword(bytes: Uint8Array): boolean {
  try {
    const file = readKeyFile(bytes, 'key');
    return file.kind === 'sigstore' || (file.kind === 'der' && file.structure.form === 'encrypted-pkcs8');
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/**
 * Reads a private key: cosign's encrypted PEM, PKCS#8 plain or encrypted (PBES2), SEC1 `EC PRIVATE KEY`, PKCS#1
 * `RSA PRIVATE KEY`, each as PEM or DER, or a JWK.
 *
 * The passwords are tried as given; whoever reads one from a pipe passes it twice, as read and without the line feed at its end.
 *
 * @throws TrustError `key-encrypted`, `password-wrong`, `kdf-too-expensive`, `key-is-public`, `key-unsupported`, `key-malformed`,
 *   `pem-malformed`; WireError `base64-malformed`, `json-malformed`, `json-too-deep`
 * @example
 * const key = await decodePrivateKey(await readFile('cosign.key'), { what: 'cosign.key', passwords: [Buffer.from('pw')] });
 */
export async function decodePrivateKey(bytes: Uint8Array, options: DecodePrivateKeyOptions): Promise<PrivateKey> {
  const { what } = options;
  const passwords = [...(options.passwords ?? [])];
  const file = readKeyFile(bytes, what);
  if (file.kind === 'jwk') {
    if (!isPrivateJwk(file.jwk)) throw isPublic(what);
    return privateKeyOf(importJwk(file.jwk, 'private', what), what);
  }
  if (file.kind === 'sigstore') return unlock(readCosignKey(file.json, what), what, passwords);
  if (file.structure.form === 'encrypted-pkcs8') return unlock(readEncryptedPkcs8(file.der, what), what, passwords);
  return importDer(file.der, file.structure, what);
}

/** Makes a new key. */
export async function generatePrivateKey(algorithm: KeyAlgorithm): Promise<PrivateKey> {
  const { privateKey } = await generate(algorithm);
  return privateKeyOf(privateKey, 'a new key');
}

/** Writes a private key as cosign does, so that either can read it: `ENCRYPTED SIGSTORE PRIVATE KEY`, scrypt with N=65536. */
export async function encryptPrivateKey(key: PrivateKey, password: Uint8Array): Promise<string> {
  const pkcs8 = key.object.export({ type: 'pkcs8', format: 'der' });
  try {
    return await encodeCosignKey(pkcs8, password);
  } finally {
    pkcs8.fill(0);
  }
}

async function unlock(locked: LockedKey, what: string, passwords: readonly Uint8Array[]): Promise<PrivateKey> {
  if (passwords.length === 0) throw new TrustError('key-encrypted', `${what} is encrypted and no password was given`);
  for (const password of passwords) {
    const der = await locked.unlock(password);
    const structure = der === undefined ? undefined : readKeyStructure(der);
    if (der === undefined || structure?.form !== 'pkcs8') continue;
    try {
      return importDer(der, structure, what);
    } finally {
      der.fill(0);
    }
  }
  throw new TrustError('password-wrong', `${what} does not open with the given password`);
}

function importDer(der: Uint8Array, structure: KeyStructure, what: string): PrivateKey {
  const type = FORMS.get(structure.form);
  if (type === undefined) throw isPublic(what);
  requireSupported(structure, what);
  let object: KeyObject;
  try {
    object = createPrivateKey({ key: Buffer.from(der.buffer, der.byteOffset, der.byteLength), format: 'der', type });
  } catch {
    // no cause: what the library says of a secret is not passed on
    throw new TrustError('key-malformed', `${what} holds a broken ${structure.type ?? 'private'} key`);
  }
  return privateKeyOf(object, what);
}

// Files carry both halves, and no library compares them. Seals by a key whose halves differ would never verify; with Ed25519 and RSA
// such a signature can even give the private half away.
function privateKeyOf(object: KeyObject, what: string): PrivateKey {
  const publicKey = publicKeyOf(createPublicKey(object), what);
  const digest = publicKey.algorithm === 'ed25519' ? null : 'sha256';
  const probe = new TextEncoder().encode('bulla: does the public half belong to the private one?');
  let matches: boolean;
  try {
    matches = verify(digest, probe, publicKey.object, sign(digest, probe, object));
  } catch {
    matches = false;
  }
  if (!matches)
    throw new TrustError('key-malformed', `${what} holds a key whose private and public halves do not belong together`);
  return { publicKey, object };
}

// Only RSA takes long enough for a thread: the others are made in less time than one needs to begin.
async function generate(algorithm: KeyAlgorithm): Promise<{ privateKey: KeyObject }> {
  if (algorithm === 'ed25519') return generateKeyPairSync('ed25519');
  const [family, size] = algorithm.split('-', 2);
  return family === 'rsa'
    ? promisify(generateKeyPair)('rsa', { modulusLength: Number(size) })
    : generateKeyPairSync('ec', { namedCurve: `P-${size?.slice(1)}` });
}

function isPublic(what: string): TrustError {
  return new TrustError('key-is-public', `${what} holds a public key, expected a private one`);
}
