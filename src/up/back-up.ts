// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, realpath, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { OpenedRegistry } from '../registry/index.ts';
import type { OpenedStack } from '../stack/index.ts';
import { disk, writeDurably } from '../store/index.ts';
import { SETTINGS_FILE } from './recorded-settings.ts';
import { UpError } from './up-error.ts';

/** What is copied where. */
export interface BackUpOptions {
  readonly data: string;
  /** a folder that does not exist */
  readonly to: string;
  readonly stack: OpenedStack;
  readonly registry: Pick<OpenedRegistry, 'copyTo'>;
  readonly now: Date;
}

/** A file of a backup. */
export interface BackedUpFile {
  readonly bytes: number;
  /** hex */
  readonly sha256: string;
}

/** What lies in a backup; written last, so that a folder without it is none. */
export interface BackupManifest {
  readonly format: 1;
  readonly created: string;
  readonly files: Readonly<Record<string, BackedUpFile>>;
}

/** The file that makes a folder a backup. */
export const BACKUP_MANIFEST = 'backup.json';

/** Folders that nothing is written to while keys do not change. */
const FOLDERS = ['keys', 'tuf'] as const;

/**
 * Copies a running stack into a new folder. Meanwhile no key may change (`OpenedStack.unchanged`): a copied key without its log would begin
 * it anew.
 *
 *     1. databases, each as it is at one moment; what refers to a log before the log
 *     2. settings, rules, keys, the TUF repository      files that are replaced whole
 *     3. the registry: its database, then its objects   objects are never changed, and not deleted while they are copied
 *     4. backup.json, with the digest of every file     the folder is a backup from here on
 *
 * One that fails leaves nothing behind.
 *
 * @throws UpError `backup-exists`, `backup-inside`; StoreError `full`, `io-failed`
 */
export async function backUp(options: BackUpOptions): Promise<BackupManifest> {
  const { data, to } = options;
  await demandOutside(data, to);
  await mkdir(to, { mode: 0o700 }).catch((cause: unknown) => {
    throw new UpError('backup-exists', `cannot create ${to}: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  });
  try {
    return await copyAll(options);
  } catch (error) {
    // It holds private keys and is no backup: it does not lie about, nor in the way of the next attempt.
    await rm(to, { recursive: true, force: true });
    throw error;
  }
}

async function copyAll({ data, to, stack, registry, now }: BackUpOptions): Promise<BackupManifest> {
  await stack.copyDatabases(to);
  for (const file of [SETTINGS_FILE, 'rules.yaml']) await copyIfThere(join(data, file), join(to, file));
  for (const folder of FOLDERS) await copyFolder(join(data, folder), join(to, folder));
  await registry.copyTo(join(to, 'registry'));
  const files: Record<string, BackedUpFile> = {};
  for (const path of await filesBelow(to)) files[relative(to, path)] = await digestOf(path);
  const manifest: BackupManifest = { format: 1, created: now.toISOString(), files };
  await writeDurably(disk, to, new Map([[BACKUP_MANIFEST, `${JSON.stringify(manifest, null, 1)}\n`]]));
  return manifest;
}

// A copy that lies in what is copied would be copied into itself, and be lost with what it is a copy of.
async function demandOutside(data: string, to: string): Promise<void> {
  const above = await realpath(dirname(to)).catch(() => dirname(to));
  const way = relative(await realpath(data), above);
  if (way !== '' && (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way))) return;
  throw new UpError('backup-inside', `${to} lies in the data directory ${data}: a copy belongs elsewhere`);
}

/** All files below a folder. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

/** Size and SHA-256 of a file, read as a stream. */
export async function digestOf(path: string): Promise<BackedUpFile> {
  const sha256 = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    sha256.update(chunk);
  }
  return { bytes, sha256: sha256.digest('hex') };
}

/** Copies a folder of files, durably, without what a write that was interrupted has left (`.new`). */
export async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyFolder(source, target);
    else if (entry.isFile() && !entry.name.endsWith('.new')) await copyIfThere(source, target);
  }
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  const file = await open(to, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
