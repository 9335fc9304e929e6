// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from 'node:path';
import { disk, fileError, readWhole, writeDurably, type FileSystem } from '../../store/index.ts';
import type { PrivateKey } from '../../trust/index.ts';
import { draftFirstKeys } from './draft-keys.ts';
import {
  findKeyFile,
  OFFLINE_DIRECTORY,
  readChain,
  readPrivateKey,
  writeKeyFiles,
  type KeyFiles,
} from './key-files.ts';
import { KeyRingError } from './key-ring-error.ts';
import type { KeyRole } from './key-role.ts';
import {
  decodeManifest,
  encodeManifest,
  keyId,
  MANIFEST_NAME,
  MAX_MANIFEST_BYTES,
  type RingManifest,
} from './ring-manifest.ts';
import type { AuthorityAlgorithm, KeyDraft, RingKey, RingSettings } from './ring-key.ts';

/** What the first start decides for good. */
export interface FirstStart {
  /** stands in the names of certificates */
  readonly organization: string;
  /** host of the log of Rekor v2: its origin */
  readonly logOrigin: string;
  /** of the certificate and the timestamp authority; P-256 unless told */
  readonly authorityAlgorithm?: AuthorityAlgorithm;
  /** keeps the keys of the roots and of the TUF targets out of the running process: in files for the operator to carry away */
  readonly offlineRoot?: boolean;
}

/** Where the keys of a stack are. */
export interface KeyRingOptions {
  /** made at the first start; the directory above it must exist */
  readonly directory: string;
  /** encrypts the keys at the first start, and opens them later */
  readonly password?: Uint8Array | undefined;
  readonly now: () => Date;
  /** if there is no ring yet, one is made as this says; without it there must be one */
  readonly first?: FirstStart | undefined;
  /** the machine's disk unless told */
  readonly files?: FileSystem | undefined;
}

/** What becomes of a ring in one step. */
export interface RingChange {
  readonly add: readonly KeyDraft[];
  /** ids, and until when clients go on to trust what they sign */
  readonly retire: ReadonlyMap<string, Date>;
}

/** The keys of a stack: the public halves at hand, the private ones opened when they are asked for. */
export interface KeyRing {
  readonly directory: string;
  readonly created: Date;
  readonly settings: RingSettings;
  readonly encrypted: boolean;
  /** all there ever were, oldest first */
  readonly keys: readonly RingKey[];
  /** those of a role, oldest first */
  of(role: KeyRole): readonly RingKey[];
  /** The newest one that signs. @throws KeyRingError `role-vacant` */
  active(role: KeyRole): RingKey;
  /**
   * The private half; opened once.
   *
   * @param offlineKeys a directory to which the operator has brought keys that are kept elsewhere; what is opened from there is not kept
   * @throws KeyRingError `key-offline`, `key-missing`, `key-mismatch`, `password-wrong`; StoreError
   */
  privateKey(key: RingKey, offlineKeys?: string): Promise<PrivateKey>;
  /** Whether the file of a key can be read: of those kept offline, whether they still, or again, lie here. */
  isAtHand(key: RingKey, offlineKeys?: string): Promise<boolean>;
  /** Adds and retires keys, all or none, durably. One at a time. @throws KeyRingError `ring-changed`; StoreError `full`, `io-failed` */
  change(change: RingChange): Promise<void>;
}

/**
 * Opens the keys of a stack, or makes them if there are none and `first` says how.
 *
 *     first start
 *     1. all files in DIRECTORY.new, flushed       a crash here: the next start empties it and begins again
 *     2. renamed to DIRECTORY, flushed             the commit point
 *
 * Opening changes nothing, so that another process may read (for the issuer's key) while one owns the data directory.
 *
 * @throws KeyRingError `ring-missing`, `ring-malformed`, `ring-newer`, `password-missing`, `password-wrong`, `password-unused`,
 * `key-missing`, `key-mismatch`; StoreError `full`, `io-failed`
 * @example
 * const ring = await openKeyRing({ directory: join(data, 'keys'), now, first: { organization: 'bulla', logOrigin: '127.0.0.1' } });
 * const ca = ring.active('ca');
 * const issuer = { certificate: ca.chain[0], signer: certificateSigner(await ring.privateKey(ca)) };
 */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { directory, password, files = disk, first, now } = options;
  const where: KeyFiles = { files, directory, password };
  if ((await readManifest(where)) === undefined) {
    await requireNoRing(where);
    if (first === undefined) throw ringMissing(directory);
    await makeRing(where, first, now());
  }
  const found = await readManifest(where);
  if (found === undefined) throw new KeyRingError('ring-missing', `${join(directory, MANIFEST_NAME)} is gone`);
  const ring = new OpenRing(where, found.manifest, found.bytes, await readKeys(where, found.manifest));
  // Opens one key, so that a wrong password is told now and not when something is to be signed.
  await ring.privateKey(ring.active('issuer'));
  return ring;
}

/**
 * The newest key of a role that signs, and no other file of the ring but `ring.json`: for a process beside the one that owns it.
 *
 * @throws KeyRingError `ring-missing`, `ring-malformed`, `ring-newer`, `role-vacant`, `key-offline`, `key-missing`, `key-mismatch`, `password-missing`,
 * `password-wrong`, `password-unused`; StoreError
 */
export async function readActiveKey(
  { directory, password, files = disk }: Pick<KeyRingOptions, 'directory' | 'password' | 'files'>,
  role: KeyRole,
): Promise<PrivateKey> {
  const where: KeyFiles = { files, directory, password };
  const found = await readManifest(where);
  if (found === undefined) throw ringMissing(directory);
  return await readPrivateKey(where, activeAmong(found.manifest.keys, role, directory));
}

function activeAmong(keys: readonly RingKey[], role: KeyRole, directory: string): RingKey {
  const key = keys.findLast((candidate) => candidate.role === role && candidate.state === 'active');
  if (key === undefined) throw new KeyRingError('role-vacant', `no key in ${directory} is the ${role} key`);
  return key;
}

function ringMissing(directory: string): KeyRingError {
  return new KeyRingError(
    'ring-missing',
    `there are no keys in ${directory}: no stack was started there, or they are lost (a backup has them)`,
  );
}

async function makeRing(where: KeyFiles, first: FirstStart, now: Date): Promise<void> {
  const { files, directory, password } = where;
  const { organization, logOrigin, authorityAlgorithm = 'ecdsa-p256', offlineRoot = false } = first;
  const settings = { organization, authorityAlgorithm, offlineRoot };
  const drafts = await draftFirstKeys(settings, logOrigin, now);
  const staging = `${directory}.new`;
  try {
    await files.makeDirectory(staging);
    for (const folder of [join(staging, OFFLINE_DIRECTORY), staging])
      for (const { name, kind } of await files.list(folder))
        if (kind === 'file') await files.remove(join(folder, name));
  } catch (cause) {
    throw fileError(`preparing ${staging}`, cause);
  }
  await writeKeyFiles({ ...where, directory: staging }, drafts);
  const manifest = { created: now, settings, encrypted: password !== undefined, keys: drafts.map(listed) };
  await writeDurably(files, staging, new Map([[MANIFEST_NAME, encodeManifest(manifest)]]));
  try {
    await files.rename(staging, directory);
    await files.flushDirectory(dirname(directory));
  } catch (cause) {
    throw fileError(`renaming ${staging} to ${directory}`, cause);
  }
}

// New keys in the place of lost ones would be a stack that no client of the old one believes.
async function requireNoRing({ files, directory }: KeyFiles): Promise<void> {
  let names: readonly { readonly name: string }[];
  try {
    names = await files.list(directory);
  } catch (cause) {
    throw fileError(`listing ${directory}`, cause);
  }
  if (names.length > 0)
    throw new KeyRingError(
      'ring-malformed',
      `${directory} holds ${names.length} files and no ${MANIFEST_NAME}: bring it back from a backup`,
    );
}

async function readManifest({
  files,
  directory,
}: KeyFiles): Promise<{ readonly manifest: RingManifest; readonly bytes: Uint8Array } | undefined> {
  const path = join(directory, MANIFEST_NAME);
  const bytes = await readWhole(files, path, MAX_MANIFEST_BYTES);
  return bytes === undefined ? undefined : { bytes, manifest: decodeManifest(bytes, path) };
}

async function readKeys(where: KeyFiles, { keys }: RingManifest): Promise<readonly RingKey[]> {
  const read: RingKey[] = [];
  for (const key of keys) {
    const chain = await readChain(where, key);
    read.push(chain === undefined ? key : { ...key, chain });
    if (key.state === 'active' && key.place === 'ring' && (await findKeyFile(where, key)) === undefined)
      throw new KeyRingError('key-missing', `the file ${join(where.directory, key.id)}.key of the ring is gone`);
  }
  return read;
}

function listed({ privateKey, ...key }: KeyDraft): RingKey {
  const { publicKey } = privateKey;
  return { ...key, id: keyId(key.role, publicKey), state: 'active', publicKey };
}

class OpenRing implements KeyRing {
  readonly #where: KeyFiles;
  readonly #opened = new Map<string, Promise<PrivateKey>>();
  #manifest: RingManifest;
  #bytes: Uint8Array;
  #keys: readonly RingKey[];
  #changing: Promise<unknown> = Promise.resolve();

  constructor(where: KeyFiles, manifest: RingManifest, bytes: Uint8Array, keys: readonly RingKey[]) {
    this.#where = where;
    this.#manifest = manifest;
    this.#bytes = bytes;
    this.#keys = keys;
  }

  get directory(): string {
    return this.#where.directory;
  }

  get created(): Date {
    return this.#manifest.created;
  }

  get settings(): RingSettings {
    return this.#manifest.settings;
  }

  get encrypted(): boolean {
    return this.#manifest.encrypted;
  }

  get keys(): readonly RingKey[] {
    return this.#keys;
  }

  of(role: KeyRole): readonly RingKey[] {
    return this.#keys.filter((key) => key.role === role);
  }

  active(role: KeyRole): RingKey {
    return activeAmong(this.#keys, role, this.directory);
  }

  async privateKey(key: RingKey, offlineKeys?: string): Promise<PrivateKey> {
    // A key that is kept elsewhere stays in memory no longer than it is used.
    if (key.place === 'offline') return await readPrivateKey(this.#where, key, offlineKeys);
    const opened = this.#opened.get(key.id) ?? readPrivateKey(this.#where, key);
    this.#opened.set(key.id, opened);
    opened.catch(() => this.#opened.delete(key.id));
    return await opened;
  }

  async isAtHand(key: RingKey, offlineKeys?: string): Promise<boolean> {
    return (await findKeyFile(this.#where, key, offlineKeys)) !== undefined;
  }

  async change(change: RingChange): Promise<void> {
    const mine = this.#changing.catch(() => undefined).then(() => this.#change(change));
    this.#changing = mine;
    await mine;
  }

  // 1. the files of the new keys, flushed      a crash here: nothing refers to them, and they stay as they are
  // 2. ring.json, replaced and flushed         the commit point
  // 3. this process goes on with the new ring
  async #change({ add, retire }: RingChange): Promise<void> {
    const { files, directory } = this.#where;
    const present = await readWhole(files, join(directory, MANIFEST_NAME), MAX_MANIFEST_BYTES);
    if (present === undefined || Buffer.compare(present, this.#bytes) !== 0)
      throw new KeyRingError('ring-changed', `${join(directory, MANIFEST_NAME)} is not what was read at the start`);
    const stale = this.#keys.find(({ id, state }) => state === 'retired' && retire.has(id));
    if (stale !== undefined) throw new KeyRingError('ring-changed', `${stale.id} was retired by another rotation`);
    const keys = [...this.#keys.map((key) => retired(key, retire.get(key.id))), ...add.map(listed)];
    const manifest = { ...this.#manifest, keys };
    const text = encodeManifest(manifest);
    await writeKeyFiles(this.#where, add);
    await writeDurably(files, directory, new Map([[MANIFEST_NAME, text]]));
    this.#bytes = Buffer.from(text);
    this.#manifest = manifest;
    this.#keys = keys;
  }
}

function retired(key: RingKey, end: Date | undefined): RingKey {
  if (end === undefined) return key;
  const { start } = key.validFor;
  return { ...key, state: 'retired', validFor: { start, end: end < start ? start : end } };
}
