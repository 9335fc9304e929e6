// SPDX-License-Identifier: Apache-2.0
import type { FileSystem, WritableFile } from './file-system.ts';
import type { StagedObject } from './object-store.ts';
import { readFile } from './read-file.ts';
import { StoreError, fileError } from './store-error.ts';

/** Bytes that are gathered before they are written; the next ones gather meanwhile, so a staged object holds twice this at most. */
const GATHER_BYTES = 512 * 1024;
/** A large object is flushed on the way every so many bytes, so that commit does not wait long for what is left. */
const FLUSH_BYTES = 16 * 1024 * 1024;

/** What the staged files of a store share. */
export interface Placement {
  readonly files: FileSystem;
  /** Those that have not ended. The reference matters: a file that nobody refers to is closed when memory is collected, with an error. */
  readonly staged: Set<StagedObject>;
  /** A file name nobody has used. */
  temporary(): string;
  /** Makes the directories of a key, durably; answers the object's file. */
  place(key: string): Promise<string>;
  /** Flushes the names in the directory of a file; several at once share a flush. */
  flushNames(file: string): Promise<void>;
}

/**
 * An object on its way to its file. The life of one:
 *
 *     1. chunks gather in memory; a small object stays there       a crash here: nothing is left
 *     2. they are written to staging/<n>                           a crash here: swept at the next start
 *     3. the content is flushed
 *     4. it is renamed to objects/<key>                            a crash here: whole, under its key or not there
 *     5. the names in the key's directory are flushed
 *     6. commit answers                                            a crash here: it is there
 */
export class StagedFile implements StagedObject {
  readonly #placement: Placement;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #file: WritableFile | undefined;
  #path: string | undefined;
  #writing: Promise<void> | undefined;
  #flushing: Promise<void> | undefined;
  #unflushed = 0;
  #size = 0;
  #state: 'open' | 'committed' | 'discarded' = 'open';

  constructor(placement: Placement) {
    this.#placement = placement;
    placement.staged.add(this);
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.byteLength;
    this.#size += chunk.byteLength;
    if (this.#gatheredBytes >= GATHER_BYTES) await this.#write();
  }

  async *read(): AsyncIterable<Uint8Array> {
    this.#mustBeOpen();
    await this.#settled();
    if (this.#path === undefined) {
      yield* this.#gathered;
      return;
    }
    await this.#write();
    await this.#settled();
    yield* readFile(this.#placement.files, this.#path, 'on its way');
  }

  async commit(key: string): Promise<void> {
    this.#mustBeOpen();
    try {
      const target = await this.#placement.place(key);
      await this.#write();
      await this.#settled();
      const { file, path } = this.#written();
      await this.#flushing;
      await file.flush();
      await this.#close();
      await this.#placement.files.rename(path, target);
      this.#state = 'committed';
      this.#placement.staged.delete(this);
      await this.#placement.flushNames(target);
    } catch (cause) {
      await this.discard().catch(() => undefined); // what failed first is told
      throw fileError(`writing object ${key}`, cause);
    }
  }

  async discard(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'discarded';
    this.#placement.staged.delete(this);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    try {
      await this.#writing?.catch(() => undefined);
      await this.#flushing?.catch(() => undefined);
      await this.#close();
      if (this.#path !== undefined) await this.#placement.files.remove(this.#path);
    } catch (cause) {
      throw fileError('discarding a staged object', cause);
    }
  }

  /** Hands what has gathered to the disk, once the former part is there. */
  async #write(): Promise<void> {
    await this.#settled();
    const chunks = this.#gathered;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#writing = this.#writeNow(chunks);
    this.#writing.catch(() => undefined); // told by the next call
  }

  async #writeNow(chunks: readonly Uint8Array[]): Promise<void> {
    if (this.#file === undefined) {
      const path = this.#placement.temporary();
      this.#file = await this.#placement.files.create(path);
      this.#path = path;
    }
    await this.#file.write(chunks);
    this.#unflushed += chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0);
    if (this.#unflushed < FLUSH_BYTES) return;
    this.#unflushed = 0;
    await this.#flushing; // a failed flush is told once, and what it lost is lost: never try again and call it good
    this.#flushing = this.#file.flush();
    this.#flushing.catch(() => undefined); // told by the next one, or by commit
  }

  async #settled(): Promise<void> {
    try {
      await this.#writing;
    } catch (cause) {
      throw fileError('writing a staged object', cause);
    }
  }

  #written(): { readonly file: WritableFile; readonly path: string } {
    if (this.#file === undefined || this.#path === undefined) throw new StoreError('closed', 'nothing was written');
    return { file: this.#file, path: this.#path };
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw new StoreError('closed', `the staged object was ${this.#state}`);
  }
}
