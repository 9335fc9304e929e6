// SPDX-License-Identifier: Apache-2.0

/** Bytes of an object, both ends included, as HTTP counts them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The object port: a directory now, S3 later. Objects are written once, whole, under a key, and never changed: what changes
 * belongs in the database.
 *
 * A key is one or more segments of `[a-z0-9][a-z0-9._-]*`, joined by `/`, at most 512 characters; others throw `key-malformed`.
 * What was answered is on the disk; what was not answered is there whole or not at all. Implementations pass the suite in
 * `object-store.contract.ts`.
 */
export interface ObjectStore {
  /** Begins an object whose key is not known yet. */
  stage(): StagedObject;
  /** Bytes of an object. */
  size(key: string): Promise<number | undefined>;
  /**
   * Reads an object, or a part of it, in chunks. Nothing is opened before the first one is asked for.
   *
   * @throws StoreError `not-found` where there is none; `corrupt` where it ends before `range` does; `io-failed`
   */
  read(key: string, range?: ByteRange): AsyncIterable<Uint8Array>;
  /** Removes an object. False where there was none. Readers that have begun go on to its end. */
  delete(key: string): Promise<boolean>;
  /** Keys below a prefix (whole segments; `''` for all), in no order. */
  list(prefix: string): AsyncIterable<string>;
  /** Discards what is staged. What a process that died had staged is swept by the next one that opens. */
  close(): Promise<void>;
}

/** An object on its way: nobody sees it before `commit` has answered. One call at a time. */
export interface StagedObject {
  /** bytes appended so far */
  readonly size: number;
  /** Appends. The chunk is kept until it is written: do not change it afterwards. Waits where the medium is slower. */
  append(chunk: Uint8Array): Promise<void>;
  /** What was appended so far, once more. */
  read(): AsyncIterable<Uint8Array>;
  /** Makes it the object of that key, durably. If the key has one already it is replaced. The staged object has then ended. */
  commit(key: string): Promise<void>;
  /** Forgets it. Harmless after `commit` or when repeated. */
  discard(): Promise<void>;
}
