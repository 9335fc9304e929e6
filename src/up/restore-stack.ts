// SPDX-License-Identifier: Apache-2.0
import { readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { beginNewShards, republish, requireStackContinuation } from '../stack/index.ts';
import { isJsonObject, parseJson, type Json } from '../wire/index.ts';
import { BACKUP_MANIFEST, copyFolder, digestOf, filesBelow } from './back-up.ts';
import { readSettings, SETTINGS_FILE } from './recorded-settings.ts';
import { UpError } from './up-error.ts';

/** What is restored where. */
export interface RestoreOptions {
  /** what `backUp` has written */
  readonly from: string;
  /** a data directory that does not exist */
  readonly data: string;
  /** the folder of copied checkpoints, or one checkpoint; without it each log ends where it stands and another begins, with a new key */
  readonly checkpoints?: string | undefined;
  readonly password?: string | undefined;
  /** where keys were brought that are kept offline: new shards must be signed for by them */
  readonly offlineKeys?: string | undefined;
  readonly now: () => Date;
  readonly onProgress: (line: string) => void;
}

/** What came of it. */
export interface Restored {
  readonly data: string;
  readonly files: number;
  /** ids of the keys of logs that were begun, because no checkpoint said how far the old ones had come */
  readonly newShards: readonly string[];
}

const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;
const MAX_CHECKPOINT_BYTES = 256 * 1024;

/**
 * Makes a data directory out of a backup, if no log in it would fork by that.
 *
 *     1. every file of the backup has the digest that backup.json gives
 *     2. it is copied to DATA.new
 *     3. every log goes on from the checkpoint that the world has seen; or gets a new shard, with a new key
 *     4. the TUF repository leaps to versions that no client has seen
 *     5. DATA.new becomes DATA                          a crash before: nothing is restored, and the next attempt begins anew
 *
 * @throws UpError `backup-malformed`, `backup-exists`, `checkpoint-missing`, `checkpoint-malformed`; LogError `tree-smaller`, `tree-forked`, `checkpoint-foreign`;
 * KeyRingError; StoreError
 */
export async function restoreStack(options: RestoreOptions): Promise<Restored> {
  const { from, data, onProgress, checkpoints, now } = options;
  const password = options.password === undefined ? undefined : Buffer.from(options.password);
  await demandAbsent(data);
  const staged = `${data}.new`;
  await clearStaged(staged);
  const files = await checkBackup(from, onProgress);
  let newShards: readonly string[] = [];
  try {
    onProgress(`copying ${files} files`);
    await copyFolder(from, staged);
    await rm(join(staged, BACKUP_MANIFEST));
    const settings = await readSettings(join(staged, SETTINGS_FILE));
    if (settings === undefined) throw new UpError('backup-malformed', `${from} has no ${SETTINGS_FILE}`);
    const place = { data: staged, url: settings.url, logHost: settings.logHost, password, now };
    if (checkpoints === undefined) newShards = await beginNewShards({ ...place, offlineKeys: options.offlineKeys });
    else await requireStackContinuation({ ...place, checkpoints: await readCheckpoints(checkpoints) });
    await republish({ ...place, offlineKeys: options.offlineKeys });
    await rename(staged, data);
  } catch (error) {
    // It holds private keys: what is not used does not lie about.
    await rm(staged, { recursive: true, force: true });
    throw error;
  }
  const { open } = await import('node:fs/promises');
  const folder = await open(dirname(data), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return { data, files, newShards };
}

async function demandAbsent(data: string): Promise<void> {
  const { lstat } = await import('node:fs/promises');
  const found = await lstat(data).catch(() => undefined);
  if (found !== undefined) throw new UpError('backup-exists', `${data} exists already: restore into a new folder`);
}

const IN_BACKUP = new Set([BACKUP_MANIFEST, SETTINGS_FILE, 'rules.yaml', 'keys', 'logs', 'tuf', 'registry']);

/** Removes what a restore that was broken off has left, and nothing that is somebody else's. */
async function clearStaged(staged: string): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  const names = await readdir(staged).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [];
    throw new UpError('backup-exists', `cannot look into ${staged}, where the copy is made`, { cause });
  });
  const foreign = names.find((name) => !IN_BACKUP.has(name) && !name.startsWith('stack.db'));
  if (foreign !== undefined)
    throw new UpError(
      'backup-exists',
      `${staged}, where the copy is made, holds ${foreign.slice(0, 80)}, which no restore has left there: move it away`,
    );
  await rm(staged, { recursive: true, force: true });
}

/** @returns how many files it has */
async function checkBackup(from: string, onProgress: (line: string) => void): Promise<number> {
  const listed = await readManifest(from);
  onProgress(`checking ${listed.size} files`);
  const present = new Set((await filesBelow(from)).map((path) => relative(from, path)));
  present.delete(BACKUP_MANIFEST);
  const unknown = [...present].find((path) => !listed.has(path));
  if (unknown !== undefined) throw malformed(from, `has the file ${unknown}, which ${BACKUP_MANIFEST} does not list`);
  for (const [path, { bytes, sha256 }] of listed) {
    if (!present.has(path)) throw malformed(from, `lacks the file ${path}`);
    const found = await digestOf(join(from, path));
    if (found.bytes !== bytes || found.sha256 !== sha256) {
      throw malformed(from, `has another ${path} than was backed up: SHA-256 ${found.sha256}, expected ${sha256}`);
    }
  }
  return listed.size;
}

async function readManifest(
  from: string,
): Promise<ReadonlyMap<string, { readonly bytes: number; readonly sha256: string }>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(from, BACKUP_MANIFEST));
  } catch (cause) {
    throw new UpError('backup-malformed', `${from} is no backup, or was never finished: it has no ${BACKUP_MANIFEST}`, {
      cause,
    });
  }
  const json = parseJson(bytes, { what: join(from, BACKUP_MANIFEST), maxBytes: MAX_MANIFEST_BYTES });
  if (!isJsonObject(json) || json['format'] !== 1 || !isJsonObject(json['files'] ?? null)) {
    throw malformed(from, `has a ${BACKUP_MANIFEST} of a format that this program does not know`);
  }
  const files = new Map<string, { readonly bytes: number; readonly sha256: string }>();
  for (const [path, entry] of Object.entries(json['files'] as Readonly<Record<string, Json>>)) {
    const { bytes: size, sha256 } = isJsonObject(entry) ? entry : {};
    if (typeof size !== 'number' || typeof sha256 !== 'string')
      throw malformed(from, `lists ${path} without its digest`);
    files.set(path, { bytes: size, sha256 });
  }
  return files;
}

/** Checkpoints by the id of the key that their file is named for; one that was given alone has no name. */
async function readCheckpoints(place: string): Promise<ReadonlyMap<string, string>> {
  const { readdir, stat } = await import('node:fs/promises');
  const read = async (path: string): Promise<string> => {
    const bytes = await readFile(path);
    if (bytes.byteLength <= MAX_CHECKPOINT_BYTES) return bytes.toString();
    throw new UpError('checkpoint-malformed', `${path} has ${bytes.byteLength} bytes: it is no checkpoint`);
  };
  try {
    if (!(await stat(place)).isDirectory()) return new Map([['', await read(place)]]);
    const names = (await readdir(place)).filter((name) => name.endsWith('.checkpoint'));
    const found = new Map<string, string>();
    for (const name of names) found.set(name.replace(/\.checkpoint$/, ''), await read(join(place, name)));
    return found;
  } catch (cause) {
    if (cause instanceof UpError) throw cause;
    const why = cause instanceof Error ? cause.message : '';
    throw new UpError('checkpoint-missing', `cannot read checkpoints at ${place}: ${why}`, { cause });
  }
}

function malformed(from: string, what: string): UpError {
  return new UpError('backup-malformed', `the backup ${from} ${what}`);
}
