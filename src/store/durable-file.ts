// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { FileSystem } from './file-system.ts';
import { fileError, StoreError } from './store-error.ts';

/**
 * Writes files that appear whole or not at all, over older ones of the same name:
 *
 *     1. each to NAME.new, flushed         a crash here: NAME is what it was; the rest is overwritten by the next write
 *     2. each renamed to NAME              a crash here: some of them are new, each of them whole
 *     3. the names flushed                 from here on all of them are new
 *
 * Where several files must change together, one of them that names the others is written last, by a call of its own.
 *
 * @throws StoreError `full`, `io-failed`
 */
export async function writeDurably(
  files: FileSystem,
  directory: string,
  content: ReadonlyMap<string, Uint8Array | string>,
): Promise<void> {
  try {
    for (const [name, bytes] of content) await writeNew(files, join(directory, `${name}.new`), Buffer.from(bytes));
    for (const name of content.keys()) await files.rename(join(directory, `${name}.new`), join(directory, name));
    await files.flushDirectory(directory);
  } catch (cause) {
    throw fileError(`writing ${[...content.keys()].join(', ')} in ${directory}`, cause);
  }
}

async function writeNew(files: FileSystem, path: string, bytes: Uint8Array): Promise<void> {
  await files.remove(path);
  const file = await files.create(path);
  try {
    await file.write([bytes]);
    await file.flush();
  } finally {
    await file.close();
  }
}

/**
 * Reads a whole file. `undefined` where there is none.
 *
 * @throws StoreError `corrupt` for more than `maxBytes`, `io-failed`
 */
export async function readWhole(files: FileSystem, path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  try {
    const file = await files.open(path);
    if (file === undefined) return undefined;
    try {
      if (file.size > maxBytes)
        throw new StoreError('corrupt', `${path} has ${file.size} bytes, at most ${maxBytes} are read`);
      return await readAll(file.size, (position, length) => file.read(position, length), path);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw fileError(`reading ${path}`, cause);
  }
}

async function readAll(
  size: number,
  read: (position: number, length: number) => Promise<Uint8Array>,
  path: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let position = 0; position < size;) {
    const part = await read(position, size - position);
    if (part.length === 0) throw new StoreError('corrupt', `${path} ends after ${position} of ${size} bytes`);
    parts.push(part);
    position += part.length;
  }
  return Buffer.concat(parts);
}
