// SPDX-License-Identifier: Apache-2.0
import { open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sqliteError } from './sqlite-error.ts';
import { fileError, StoreError } from './store-error.ts';

const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies a database in a file, as it is at one moment, while others read and write it.
 *
 * @param timeout milliseconds to wait for a lock
 * @throws StoreError `exists`, `full`, `io-failed`
 */
export async function copySqlite(from: string, to: string, timeout: number): Promise<void> {
  const { backup, DatabaseSync } = await import('node:sqlite');
  await demandNew(to);
  // A connection of its own and one step for all pages: one snapshot of the write-ahead log, whatever is committed meanwhile.
  const source = new DatabaseSync(from, { readOnly: true, timeout });
  try {
    await backup(source, to, { rate: ALL_PAGES });
  } catch (cause) {
    await rm(to, { force: true });
    throw sqliteError(`copying ${from} to ${to}`, cause);
  } finally {
    source.close();
  }
  await flushFile(to);
}

/** Claims a name: neither an older copy nor a link is written through. */
async function demandNew(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', 0o600)).close();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') {
      throw new StoreError('exists', `${path} exists already`, { cause });
    }
    throw fileError(`creating ${path}`, cause);
  }
}

async function flushFile(path: string): Promise<void> {
  for (const name of [path, dirname(path)]) {
    const handle = await open(name, 'r');
    try {
      await handle.sync();
    } catch (cause) {
      throw fileError(`flushing ${name}`, cause);
    } finally {
      await handle.close();
    }
  }
}
