// SPDX-License-Identifier: Apache-2.0

/**
 * The little of a file system that a store needs, so that tests can put a worse one in its place: one that loses what was not
 * flushed and reorders what was not ordered (`lossy-file-system.fixture.ts`).
 */
export interface FileSystem {
  /** Makes one directory whose parent exists; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Creates a file that does not exist. */
  create(path: string): Promise<WritableFile>;
  /** Opens a file. Undefined where there is none. */
  open(path: string): Promise<ReadableFile | undefined>;
  /** Bytes of a file. Undefined where there is none. */
  size(path: string): Promise<number | undefined>;
  /** Names in a directory, in no order; none where it is missing. */
  list(path: string): Promise<readonly { readonly name: string; readonly kind: 'file' | 'directory' }[]>;
  /** Moves a file within the file system, over another if there is one. Not durable until both directories are flushed. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. False where there was none. */
  remove(path: string): Promise<boolean>;
  /** Flushes the names in a directory. */
  flushDirectory(path: string): Promise<void>;
}

/** A file that is being written. */
export interface WritableFile {
  /** Appends. */
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** Flushes the content. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** A file that is being read. */
export interface ReadableFile {
  /** bytes when it was opened */
  readonly size: number;
  /** Reads at most `length` bytes; fewer only at the end. */
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}
