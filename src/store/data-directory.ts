// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { StoreError, fileError } from './store-error.ts';
import { sqliteError } from './sqlite-error.ts';

/** A directory that this process owns until `release`, or until it dies. */
export interface DataDirectory {
  /** absolute */
  readonly path: string;
  release(): void;
}

/** Locks that are held. The reference matters: a connection that nobody refers to is closed when memory is collected. */
const held = new Set<DatabaseSync>();

/**
 * Makes the directory (mode 0700) if it is missing, and owns it.
 *
 * The lock is one that the kernel takes back when the process ends, however it ends (an open exclusive transaction on the file
 * `lock`), so that no stale lock is ever left behind for a person to remove.
 *
 * @throws StoreError `in-use` where another process owns it; `io-failed`, `full`
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const directory = resolve(path);
  const file = join(directory, 'lock');
  const sqlite = await import('node:sqlite');
  await mkdir(directory, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw fileError(`creating the data directory ${directory}`, cause);
  });
  let lock: DatabaseSync | undefined;
  try {
    lock = new sqlite.DatabaseSync(file, { timeout: 0 });
    lock.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    lock?.close();
    const error = sqliteError(`locking ${file}`, cause);
    if (error.code !== 'busy') throw error;
    throw new StoreError(
      'in-use',
      `the data directory ${directory} is in use by another process (it holds ${file}); one process owns it at a time`,
      { cause },
    );
  }
  const owned = lock;
  held.add(owned);
  return {
    path: directory,
    release() {
      if (held.delete(owned)) owned.close();
    },
  };
}
