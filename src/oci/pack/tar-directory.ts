// SPDX-License-Identifier: Apache-2.0
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileChunks } from '../file-chunks.ts';
import { quoted } from '../quoted.ts';
import { PackFault } from './pack-fault.ts';
import { nameOf, TAR_BLOCK, tarHeader, tarPadding, type TarEntry } from './tar-header.ts';

/** How a directory becomes an archive. */
export interface TarOptions {
  /** seconds since 1970, for every entry */
  readonly mtime: number;
  /** a path that is left out: where the archive itself is written */
  readonly except?: string;
}

const CHUNK = 256 * 1024;

/**
 * A directory as a tar stream: what is in it in the order of its names, with modes, without owners and times. The same files make the
 * same bytes on every machine. Links are kept as links.
 *
 * @throws PackFault `directory-missing`, `directory-empty`, `file-unsupported`, `file-unreadable`, `file-changed`, `name-unsupported`
 */
export async function* tarDirectory(directory: string, options: TarOptions): AsyncIterable<Uint8Array> {
  let isEmpty = true;
  for await (const chunk of inChunks(entries(directory, '', options))) {
    isEmpty = false;
    yield chunk;
  }
  if (isEmpty) throw new PackFault('directory-empty', `there is nothing in ${quoted(directory)}`);
  yield new Uint8Array(2 * TAR_BLOCK);
}

async function* entries(root: string, parent: string, options: TarOptions): AsyncIterable<Uint8Array> {
  const directory = join(root, parent);
  for (const name of await namesIn(directory, parent)) {
    const path = parent === '' ? name : `${parent}/${name}`;
    const full = join(root, path);
    if (full === options.except) continue;
    // A layer would take it as an order to remove a file. https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
    if (name.startsWith('.wh.')) {
      throw new PackFault('name-unsupported', `${quoted(full)} would remove a file of another layer`);
    }
    const found = await readable(lstat(full), full);
    const common = { path, mode: found.mode & 0o7777, mtime: options.mtime };
    if (found.isDirectory()) {
      yield tarHeader({ ...common, kind: 'directory', size: 0 });
      yield* entries(root, path, options);
    } else if (found.isSymbolicLink()) {
      const target = nameOf(await readable(readlink(full, { encoding: 'buffer' }), full), full);
      yield tarHeader({ ...common, kind: 'link', mode: 0o777, size: 0, target });
    } else if (found.isFile()) {
      yield* file(full, found, { ...common, kind: 'file', size: found.size });
    } else {
      throw new PackFault(
        'file-unsupported',
        `${quoted(full)} is ${kindOf(found)}, only files, directories and links are packed`,
      );
    }
  }
}

async function* file(path: string, found: Stats, entry: TarEntry): AsyncIterable<Uint8Array> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await readable(open(path, flags), path);
  try {
    const opened = await handle.stat();
    if (!opened.isFile() || opened.ino !== found.ino || opened.size !== entry.size) throw changed(path);
    yield tarHeader(entry);
    let read = 0;
    for await (const chunk of fileChunks(handle)) {
      read += chunk.byteLength;
      if (read > entry.size) break;
      yield chunk;
    }
    // The header has promised a size already.
    if (read !== entry.size) throw changed(path);
    yield tarPadding(entry.size);
  } finally {
    await handle.close();
  }
}

async function namesIn(directory: string, parent: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory, { encoding: 'buffer' });
    return names.toSorted((a, b) => Buffer.compare(a, b)).map((name) => nameOf(name, directory));
  } catch (cause) {
    if (cause instanceof PackFault) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (parent === '' && (code === 'ENOENT' || code === 'ENOTDIR')) {
      const problem = code === 'ENOENT' ? 'is not there' : 'is no directory';
      throw new PackFault('directory-missing', `${quoted(directory)} ${problem}`, { cause });
    }
    throw new PackFault('file-unreadable', `cannot read ${quoted(directory)}: ${code}`, { cause });
  }
}

async function readable<T>(found: Promise<T>, path: string): Promise<T> {
  try {
    return await found;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    if (code === 'ENOENT' || code === 'ELOOP') throw changed(path);
    throw new PackFault('file-unreadable', `cannot read ${quoted(path)}: ${code}`, { cause });
  }
}

function changed(path: string): PackFault {
  return new PackFault('file-changed', `${quoted(path)} was changed while it was packed`);
}

function kindOf(found: Stats): string {
  if (found.isSocket()) return 'a socket';
  if (found.isFIFO()) return 'a pipe';
  return 'a device';
}

/** The same bytes in pieces of some size: a compressor is slow on many small ones. */
async function* inChunks(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    waiting.push(piece);
    size += piece.byteLength;
    if (size < CHUNK) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting);
}
