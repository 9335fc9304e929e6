// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';

/** a file that a process was writing which was killed */
const ABANDONED_MS = 60 * 60 * 1000;
const UNFINISHED = /\.[0-9a-f]{16}\.new$/;

/** The whole of a file that was kept; `undefined` if there is none, or none that can be read: it is made anew then. */
export async function readKept(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  let file;
  try {
    file = await open(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const found = await file.stat();
    return found.isFile() && found.size <= maxBytes ? new Uint8Array(await file.readFile()) : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/**
 * Writes a file whole or not at all: whoever reads it meanwhile has the old one or the new one, and so has the disk after a crash.
 *
 * @throws KeylessError `cache-unwritable`
 */
export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const unfinished = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await sweep(folder, basename(path));
    const file = await open(unfinished, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new KeylessError('cache-unwritable', `${printable(path, 200)} cannot be written (${code})`, { cause: error });
  }
}

async function sweep(folder: string, name: string): Promise<void> {
  for (const found of await readdir(folder)) {
    if (!found.startsWith(`${name}.`) || !UNFINISHED.test(found)) continue;
    const path = join(folder, found);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(path, { force: true });
  }
}
