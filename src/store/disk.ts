// SPDX-License-Identifier: Apache-2.0
import { mkdir, open, readdir, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import type { FileSystem, ReadableFile, WritableFile } from './file-system.ts';

/** The machine's file system. Content is flushed with fdatasync(2), directories with fsync(2). */
export const disk: FileSystem = {
  async makeDirectory(path) {
    await unless('EEXIST', mkdir(path, { mode: 0o700 }));
  },
  async create(path) {
    return new DiskWriter(await open(path, 'wx', 0o600));
  },
  async open(path) {
    const handle = await unless('ENOENT', open(path, 'r'));
    if (handle === undefined) return undefined;
    try {
      return new DiskReader(handle, (await handle.stat()).size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  },
  async size(path) {
    const found = await unless('ENOENT', stat(path));
    return found?.isFile() === true ? found.size : undefined;
  },
  async list(path) {
    const entries = (await unless('ENOENT', readdir(path, { withFileTypes: true }))) ?? [];
    return entries.map((entry) => ({ name: entry.name, kind: entry.isDirectory() ? 'directory' : 'file' }));
  },
  async rename(from, to) {
    await rename(from, to);
  },
  async remove(path) {
    return (
      (await unless(
        'ENOENT',
        unlink(path).then(() => true),
      )) ?? false
    );
  },
  async flushDirectory(path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

class DiskWriter implements WritableFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.byteLength > 0);
    while (rest.length > 0) {
      const { bytesWritten } = await this.#handle.writev(rest);
      rest = after(rest, bytesWritten);
    }
  }

  async flush(): Promise<void> {
    await this.#handle.datasync();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

class DiskReader implements ReadableFile {
  readonly #handle: FileHandle;
  readonly size: number;

  constructor(handle: FileHandle, size: number) {
    this.#handle = handle;
    this.size = size;
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.size - position)));
    let filled = 0;
    while (filled < buffer.byteLength) {
      const { bytesRead } = await this.#handle.read(buffer, filled, buffer.byteLength - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** The chunks that are left after a short write. */
function after(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = written;
  for (const chunk of chunks) {
    if (skip < chunk.byteLength) rest.push(skip === 0 ? chunk : chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.byteLength);
  }
  return rest;
}

async function unless<Answer>(code: string, pending: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await pending;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined;
    throw error;
  }
}
