// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, opendir, realpath, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { digestAlgorithm, digestHex, isDigest, type Digest, type DigestAlgorithm } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { fileChunks, fillFrom, writeAll } from '../file-chunks.ts';
import { quoted } from '../quoted.ts';
import type { BlobSource, Progress } from '../repository.ts';
import { verifiedStream } from '../verified-stream.ts';
import { isAbsent, storageError, systemCode, unlessAbsent } from './storage-error.ts';

const ALGORITHMS: readonly DigestAlgorithm[] = ['sha256', 'sha512'];

/** What a write leaves behind if it is killed; swept by a later one. */
const PART_NAME = /^\.bulla-[0-9a-f-]{36}\.part$/;
const PART_MAX_AGE_MS = 60 * 60 * 1000;

/** A name in `blobs/` and the size of its file in bytes. */
export interface BlobFile {
  readonly digest: Digest;
  readonly size: number;
  /** changes when the file does */
  readonly stamp: string;
}

/**
 * The files of a layout. Only regular files inside the directory are read, whatever links say; what is written appears whole under its
 * name, flushed, or not at all.
 */
export class LayoutDirectory {
  /** the directory as it was named */
  readonly path: string;
  /** the directory with all links resolved */
  readonly root: string;
  #swept = false;

  private constructor(path: string, root: string) {
    this.path = path;
    this.root = root;
  }

  /** @throws RegistryError `layout-malformed` where there is no such directory */
  static async at(path: string, create: boolean): Promise<LayoutDirectory> {
    if (create) await unlessAbsent(mkdir(path, { recursive: true }), `make ${quoted(path)}`);
    const root = await unlessAbsent(realpath(path), `read ${quoted(path)}`);
    const found = root === undefined ? undefined : await unlessAbsent(stat(root), `read ${quoted(path)}`);
    if (root !== undefined && found?.isDirectory() === true) return new LayoutDirectory(path, root);
    const problem = root === undefined ? 'there is no such directory' : 'it is no directory';
    throw new RegistryError('layout-malformed', `${quoted(path)} is no OCI layout: ${problem}`, { url: path });
  }

  /** The names at the top, but for this room's own locks and parts. */
  async names(): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const name of this.#names('.')) if (!name.startsWith('.bulla')) names.push(name);
    return names;
  }

  /** A small file at the top; `undefined` where it is not there. @throws RegistryError `too-large` */
  async read(name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#whole(await this.#open(name), name, maxBytes);
  }

  /** A blob's bytes, not yet checked. @throws RegistryError `too-large` */
  async readBlob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const name = blobName(digest);
    return this.#whole(await this.#open(name), name, maxBytes);
  }

  async blobSize(digest: Digest): Promise<number | undefined> {
    const handle = await this.#open(blobName(digest));
    if (handle === undefined) return undefined;
    try {
      return (await handle.stat()).size;
    } finally {
      await handle.close();
    }
  }

  /** A blob's bytes in chunks. Fails at their end with `digest-mismatch` or `size-mismatch` if they are not what they are named. */
  streamBlob(digest: Digest, size: number): AsyncIterable<Uint8Array> {
    return verifiedStream(this.#chunks(digest), { digest, size }, `${quoted(this.path)} ${digest}`);
  }

  /** The files in `blobs/` that are named by a digest, at most `limit` of them, in the order of their names. */
  async blobFiles(limit: number): Promise<{ readonly files: readonly BlobFile[]; readonly truncated: boolean }> {
    const names: Digest[] = [];
    for (const algorithm of ALGORITHMS) {
      for await (const name of this.#names(join('blobs', algorithm))) {
        const digest = `${algorithm}:${name}`;
        if (names.length > limit) break;
        if (isDigest(digest)) names.push(digest);
      }
    }
    const files: BlobFile[] = [];
    for (const digest of names.slice(0, limit).toSorted()) {
      const found = await this.#ask(stat(join(this.root, blobName(digest)), { bigint: true }));
      if (found?.isFile() !== true) continue;
      files.push({ digest, size: Number(found.size), stamp: `${found.ino}:${found.size}:${found.mtimeNs}` });
    }
    return { files, truncated: names.length > limit };
  }

  /**
   * Writes a blob.
   * @throws RegistryError `digest-mismatch`, `size-mismatch` where the source is not what it says; `storage-failed`
   */
  async writeBlob(source: BlobSource, progress?: Progress): Promise<void> {
    await this.#sweep();
    await this.#make('blobs');
    await this.#make(join('blobs', digestAlgorithm(source.digest)));
    await this.#writePart(async (part) => {
      let written = 0;
      for await (const chunk of verifiedStream(source.open(), source, 'what was to be written')) {
        await writeAll(part, chunk);
        written += chunk.byteLength;
        progress?.(written, source.size);
      }
    }, blobName(source.digest));
  }

  /** Replaces a file at the top. @param before runs last before the new file takes its name; if it throws, nothing has happened */
  async replace(name: string, bytes: Uint8Array, before?: () => Promise<void>): Promise<void> {
    await this.#writePart(async (part) => writeAll(part, bytes), name, before);
  }

  /** False where there was no such blob. */
  async removeBlob(digest: Digest): Promise<boolean> {
    const directory = join('blobs', digestAlgorithm(digest));
    if ((await this.#inside(directory)) === undefined) return false;
    try {
      await unlink(join(this.root, blobName(digest)));
      await this.#flushDirectory(directory);
      return true;
    } catch (cause) {
      if (isAbsent(cause)) return false;
      throw storageError(cause, `remove ${digest} from ${quoted(this.path)}`);
    }
  }

  /** A file system call about this directory. */
  async #ask<T>(found: Promise<T>): Promise<T | undefined> {
    return unlessAbsent(found, `read ${quoted(this.path)}`);
  }

  /** Where a name leads, links followed; `undefined` where nothing is. @throws RegistryError `layout-malformed` for what lies outside */
  async #inside(name: string): Promise<string | undefined> {
    const real = await this.#ask(realpath(join(this.root, name)));
    if (real === undefined || real === this.root || real.startsWith(this.root + sep)) return real;
    return this.#refuse(name, 'leads out of the layout');
  }

  async #open(name: string): Promise<FileHandle | undefined> {
    const real = await this.#inside(name);
    if (real === undefined) return undefined;
    // Not blocking, as a pipe would for ever.
    const handle = await this.#ask(open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    if (handle === undefined) return undefined;
    try {
      if (!(await handle.stat()).isFile()) this.#refuse(name, 'is no regular file');
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async *#chunks(digest: Digest): AsyncIterable<Uint8Array> {
    const handle = await this.#open(blobName(digest));
    if (handle === undefined) throw new RegistryError('storage-failed', `${digest} vanished while it was read`);
    try {
      yield* fileChunks(handle);
    } catch (cause) {
      throw storageError(cause, `read ${quoted(this.path)}`);
    } finally {
      await handle.close();
    }
  }

  async #whole(handle: FileHandle | undefined, name: string, maxBytes: number): Promise<Uint8Array | undefined> {
    if (handle === undefined) return undefined;
    try {
      const { size } = await handle.stat();
      if (size > maxBytes) {
        const message = `${quoted(join(this.path, name))} has ${size} bytes, at most ${maxBytes} are read`;
        throw new RegistryError('too-large', message, { url: this.path });
      }
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, (await this.#ask(fillFrom(handle, bytes, 0))) ?? 0);
    } finally {
      await handle.close();
    }
  }

  async *#names(name: string): AsyncIterable<string> {
    const real = await this.#inside(name);
    const directory = real === undefined ? undefined : await this.#ask(opendir(real));
    if (directory === undefined) return;
    for await (const entry of directory) yield entry.name;
  }

  /** A directory of the layout, made where it is missing; a link in its place must not lead out. */
  async #make(name: string): Promise<void> {
    try {
      await mkdir(join(this.root, name));
      await this.#flushDirectory(dirname(name));
    } catch (cause) {
      if (systemCode(cause) !== 'EEXIST') throw storageError(cause, `make ${quoted(join(this.path, name))}`);
    }
    await this.#inside(name);
  }

  // 1. the bytes, in a file beside                a crash here: the part is swept later
  // 2. flushed                                    a crash here: as before
  // 3. renamed                                    the commit point: under its name stands all or what was there before
  // 4. the directory flushed                      a crash before: the name may be lost, so nothing was promised yet
  async #writePart(
    write: (part: FileHandle) => Promise<void>,
    name: string,
    before: () => Promise<void> = async () => {},
  ): Promise<void> {
    const path = join(this.root, `.bulla-${randomUUID()}.part`);
    try {
      const part = await open(path, 'wx');
      try {
        await write(part);
        await part.sync();
      } finally {
        await part.close();
      }
      await before();
      await rename(path, join(this.root, name));
      await this.#flushDirectory(dirname(name));
    } catch (cause) {
      await rm(path, { force: true });
      // A source fails with what it likes; what has a system call is the file system's.
      throw cause instanceof Error && 'syscall' in cause
        ? storageError(cause, `write ${quoted(join(this.path, name))}`)
        : cause;
    }
  }

  async #flushDirectory(name: string): Promise<void> {
    const directory = await open(join(this.root, name), constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  async #sweep(): Promise<void> {
    if (this.#swept) return;
    this.#swept = true;
    for await (const name of this.#names('.')) {
      if (!PART_NAME.test(name)) continue;
      const path = join(this.root, name);
      const found = await this.#ask(stat(path));
      if (found !== undefined && Date.now() - found.mtimeMs > PART_MAX_AGE_MS) await rm(path, { force: true });
    }
  }

  #refuse(name: string, problem: string): never {
    const message = `${quoted(this.path)} is no OCI layout: ${quoted(name)} ${problem}`;
    throw new RegistryError('layout-malformed', message, { url: this.path });
  }
}

function blobName(digest: Digest): string {
  // A Digest is checked: nothing but an algorithm and hexadecimal digits can stand here.
  return join('blobs', digestAlgorithm(digest), digestHex(digest));
}
