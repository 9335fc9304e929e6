// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { constants, copyFile, link, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { disk } from './disk.ts';
import type { FileSystem } from './file-system.ts';
import { GroupFlush } from './group-flush.ts';
import { keySegments } from './object-key.ts';
import type { ByteRange, ObjectStore, StagedObject } from './object-store.ts';
import { readFile } from './read-file.ts';
import { StagedFile, type Placement } from './staged-file.ts';
import { fileError } from './store-error.ts';

/**
 * Objects as files: `objects/<key>`, on their way in `staging/`. The directory is owned by one process (`openDataDirectory`); what a
 * former one left in `staging/` is removed when it opens.
 */
export class DirectoryObjectStore implements ObjectStore, Placement {
  readonly files: FileSystem;
  readonly staged: Set<StagedObject> = new Set();
  readonly #objects: string;
  readonly #staging: string;
  readonly #durable = new Map<string, Promise<void>>();
  /** ends with the copy that is being made */
  #copying: Promise<void> = Promise.resolve();
  readonly #names: GroupFlush;
  // A name is used once, also over several processes.
  readonly #prefix = randomUUID();
  #count = 0;

  private constructor(root: string, files: FileSystem) {
    this.files = files;
    this.#objects = join(root, 'objects');
    this.#staging = join(root, 'staging');
    this.#names = new GroupFlush((path) => files.flushDirectory(path));
  }

  /**
   * @param root an existing directory that this process owns
   * @throws StoreError `io-failed`, `full`
   */
  static async open(root: string, files: FileSystem = disk): Promise<DirectoryObjectStore> {
    const store = new DirectoryObjectStore(root, files);
    try {
      await store.files.makeDirectory(store.#objects);
      await store.files.makeDirectory(store.#staging);
      for (const entry of await files.list(store.#staging)) await files.remove(join(store.#staging, entry.name));
      await files.flushDirectory(root);
    } catch (cause) {
      throw fileError(`opening ${root}`, cause);
    }
    return store;
  }

  stage(): StagedObject {
    return new StagedFile(this);
  }

  async size(key: string): Promise<number | undefined> {
    const path = this.#path(key);
    return this.files.size(path).catch((cause: unknown) => {
      throw fileError(`object ${key}`, cause);
    });
  }

  async *read(key: string, range?: ByteRange): AsyncIterable<Uint8Array> {
    const path = this.#path(key);
    try {
      yield* readFile(this.files, path, key, range);
    } catch (cause) {
      throw fileError(`object ${key}`, cause);
    }
  }

  async delete(key: string): Promise<boolean> {
    const path = this.#path(key);
    await this.#copying;
    try {
      const removed = await this.files.remove(path);
      if (removed) await this.#names.flush(dirname(path));
      return removed;
    } catch (cause) {
      throw fileError(`object ${key}`, cause);
    }
  }

  /**
   * Copies all objects, and what refers to them, into a directory: deletions wait, so that nothing that `references` has copied lacks its
   * object. On the same file system an object is one file with two names, since it never changes.
   *
   * @param root an existing directory
   * @param references copies what refers to objects
   * @throws StoreError `io-failed`, `full`; what `references` throws
   */
  async copyTo(root: string, references: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#copying;
    this.#copying = promise;
    try {
      await before;
      await references();
      for await (const key of this.list('')) await copyObject(this.#path(key), join(root, 'objects', key));
    } finally {
      resolve();
    }
  }

  async *list(prefix: string): AsyncIterable<string> {
    const below = prefix === '' ? [] : keySegments(prefix);
    yield* this.#walk(below);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.staged].map((staged) => staged.discard()));
  }

  temporary(): string {
    this.#count += 1;
    return join(this.#staging, `${this.#prefix}-${this.#count}`);
  }

  async place(key: string): Promise<string> {
    const segments = keySegments(key);
    let directory = this.#objects;
    for (const segment of segments.slice(0, -1)) {
      const parent = directory;
      directory = join(directory, segment);
      await this.#directory(directory, parent);
    }
    return join(this.#objects, ...segments);
  }

  flushNames(file: string): Promise<void> {
    return this.#names.flush(dirname(file));
  }

  /** Makes a directory once in the life of this store; a failure is tried again. */
  #directory(path: string, parent: string): Promise<void> {
    const known = this.#durable.get(path);
    if (known !== undefined) return known;
    const made = this.files.makeDirectory(path).then(() => this.#names.flush(parent));
    this.#durable.set(path, made);
    made.catch(() => this.#durable.delete(path));
    return made;
  }

  async *#walk(segments: readonly string[]): AsyncIterable<string> {
    const entries = await this.files.list(join(this.#objects, ...segments)).catch((cause: unknown) => {
      throw fileError(`listing objects below '${segments.join('/')}'`, cause);
    });
    for (const { name, kind } of entries) {
      if (kind === 'directory') yield* this.#walk([...segments, name]);
      else yield [...segments, name].join('/');
    }
  }

  #path(key: string): string {
    return join(this.#objects, ...keySegments(key));
  }
}

/** A second name for a file, or where that cannot be a copy, durably. */
async function copyObject(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await link(from, to).catch(async () => {
      await copyFile(from, to, constants.COPYFILE_EXCL);
      await flush(to);
    });
    await flush(dirname(to));
  } catch (cause) {
    throw fileError(`copying ${from} to ${to}`, cause);
  }
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
