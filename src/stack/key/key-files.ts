// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { fileError, readWhole, writeDurably, type FileSystem } from '../../store/index.ts';
import {
  decodeCertificates,
  decodePrivateKey,
  encodeCertificates,
  encryptPrivateKey,
  privateKeyNeedsPassword,
  TrustError,
  type Certificate,
  type PrivateKey,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { KeyRingError } from './key-ring-error.ts';
import { hasChain, keyId } from './ring-manifest.ts';
import type { KeyDraft, RingKey } from './ring-key.ts';

const MAX_KEY_BYTES = 64 * 1024;
const MAX_CHAIN_BYTES = 1024 * 1024;

/** Below the directory of a ring: the files that the operator is to carry away. */
export const OFFLINE_DIRECTORY = 'offline';

/** Where the files of a ring lie, and what opens them. */
export interface KeyFiles {
  readonly files: FileSystem;
  readonly directory: string;
  readonly password?: Uint8Array | undefined;
}

/** Writes the files of new keys, durably. Nothing refers to them yet. @throws StoreError `full`, `io-failed` */
export async function writeKeyFiles(where: KeyFiles, drafts: readonly KeyDraft[]): Promise<void> {
  const { files, directory, password } = where;
  const inRing = new Map<string, string>();
  const offline = new Map<string, string>();
  for (const { role, place, privateKey, chain } of drafts) {
    const id = keyId(role, privateKey.publicKey);
    const pem =
      password === undefined
        ? privateKey.object.export({ type: 'pkcs8', format: 'pem' })
        : await encryptPrivateKey(privateKey, password);
    (place === 'offline' ? offline : inRing).set(`${id}.key`, pem);
    if (chain !== undefined) inRing.set(`${id}.pem`, encodeCertificates(chain));
  }
  const apart = join(directory, OFFLINE_DIRECTORY);
  if (offline.size > 0) {
    await files.makeDirectory(apart).catch((cause: unknown) => {
      throw fileError(`creating ${apart}`, cause);
    });
    await writeDurably(files, apart, offline);
  }
  await writeDurably(files, directory, inRing);
}

/**
 * Reads the private half of a key.
 *
 * @param offlineKeys a directory to which the operator has brought keys that are kept elsewhere
 * @throws KeyRingError `key-offline`, `key-missing`, `key-mismatch`, `password-missing`, `password-wrong`, `password-unused`; TrustError where
 * the file is broken; StoreError
 */
export async function readPrivateKey(where: KeyFiles, key: RingKey, offlineKeys?: string): Promise<PrivateKey> {
  const name = `${key.id}.key`;
  const bytes = await findKeyFile(where, key, offlineKeys);
  if (bytes === undefined && key.place === 'offline')
    throw new KeyRingError(
      'key-offline',
      `the ${key.role} key is kept offline, and needed: name a directory that holds ${name}`,
    );
  if (bytes === undefined)
    throw new KeyRingError('key-missing', `the file ${join(where.directory, name)} of the ${key.role} key is gone`);
  const opened = await open(bytes, name, where.password);
  if (opened.publicKey.hint !== key.publicKey.hint)
    throw new KeyRingError('key-mismatch', `${name} holds another key than the ring lists`);
  return opened;
}

/** The file of a key, if it is at hand. */
export async function findKeyFile(
  { files, directory }: KeyFiles,
  { id, place }: RingKey,
  offlineKeys?: string,
): Promise<Uint8Array | undefined> {
  const places = place === 'ring' ? [directory] : [join(directory, OFFLINE_DIRECTORY)];
  for (const folder of offlineKeys === undefined || place === 'ring' ? places : [offlineKeys, ...places]) {
    const bytes = await readWhole(files, join(folder, `${id}.key`), MAX_KEY_BYTES);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

/** The chain of an authority's key. @throws KeyRingError `ring-malformed`, `key-missing`; StoreError */
export async function readChain(
  { files, directory }: KeyFiles,
  key: RingKey,
): Promise<readonly [Certificate, ...Certificate[]] | undefined> {
  if (!hasChain(key)) return undefined;
  const path = join(directory, `${key.id}.pem`);
  const bytes = await readWhole(files, path, MAX_CHAIN_BYTES);
  if (bytes === undefined) throw new KeyRingError('key-missing', `the certificates ${path} are gone`);
  let chain: readonly [Certificate, ...Certificate[]];
  try {
    chain = decodeCertificates(bytes, path);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw new KeyRingError('ring-malformed', `${path} holds no chain of certificates: ${cause.message}`, { cause });
  }
  if (Buffer.compare(chain[0].spki, key.publicKey.spki) !== 0)
    throw new KeyRingError('key-mismatch', `${path} begins with the certificate of another key than the ring lists`);
  return chain;
}

async function open(bytes: Uint8Array, name: string, password: Uint8Array | undefined): Promise<PrivateKey> {
  // A password that opens nothing would make believe that the keys are safe.
  if (password !== undefined && !privateKeyNeedsPassword(bytes))
    throw new KeyRingError('password-unused', `a password was given, and ${name} is not encrypted`);
  try {
    return await decodePrivateKey(bytes, { what: name, ...(password === undefined ? {} : { passwords: [password] }) });
  } catch (cause) {
    if (cause instanceof TrustError && cause.code === 'key-encrypted')
      throw new KeyRingError('password-missing', `the keys are encrypted (${name}), and no password was given`);
    if (cause instanceof TrustError && cause.code === 'password-wrong')
      throw new KeyRingError('password-wrong', `the password does not open the keys (${name})`);
    throw cause;
  }
}
