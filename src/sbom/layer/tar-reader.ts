// SPDX-License-Identifier: Apache-2.0
import { SbomError } from '../error.ts';
import { decodePaxRecords, type PaxRecords } from './pax-records.ts';
import { BLOCK, decodeHeader, decodeName, kindOfFlag, type RawHeader, type TarEntry } from './tar-header.ts';

/** Takes the contents of one entry. Chunks are only valid during the call. */
export interface EntrySink {
  chunk(bytes: Uint8Array): void;
  end(): void;
}

/** Called for each entry; what it returns is given the contents. `undefined` skips them. */
export type OnEntry = (entry: TarEntry) => EntrySink | undefined;

/** Bytes of an extended header: names, and attributes that are left out. */
const MAX_EXTENSION = 1024 * 1024;

/**
 * Reads a tar archive as its bytes come: POSIX, GNU and old archives, long names, extended headers, sizes beyond 8 GiB. Nothing is kept but
 * the block under way. It ends where Go's archive/tar and GNU tar end, at a block of zeros; what follows is not of the archive.
 *
 * It is synchronous: a layer has many small entries, and a turn of the event loop for each costs more than the reading.
 */
export class TarReader {
  readonly #where: string;
  readonly #onEntry: OnEntry;
  readonly #nameBytes: number;
  readonly #block = new Uint8Array(BLOCK);
  #filled = 0;
  #state: 'header' | 'contents' | 'extension' | 'map' | 'padding' | 'ended' = 'header';
  /** bytes of the state that are still to come */
  #left = 0;
  #padding = 0;
  #sink: EntrySink | undefined;
  #extension: { readonly type: string; readonly bytes: Uint8Array; length: number } | undefined;
  #longName: string | undefined;
  #longTarget: string | undefined;
  #pax: PaxRecords = {};
  #globalPax: PaxRecords = {};
  #pending: TarEntry | undefined;

  /** @param where names the layer in errors */
  constructor(where: string, nameBytes: number, onEntry: OnEntry) {
    this.#where = where;
    this.#nameBytes = nameBytes;
    this.#onEntry = onEntry;
  }

  /** @throws SbomError `layer-malformed`, `too-large`, and what `onEntry` throws */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && this.#state !== 'ended';) {
      if (this.#state === 'header' || this.#state === 'map') at = this.#fillBlock(chunk, at);
      else at = this.#pass(chunk, at);
    }
  }

  /** @throws SbomError `layer-malformed` where the archive ends within an entry */
  end(): void {
    const within = this.#state !== 'header' || this.#filled > 0 || this.#longName !== undefined;
    if (this.#state === 'ended' || !within) return;
    throw new SbomError('layer-malformed', `${this.#where} ends within an entry`);
  }

  #fillBlock(chunk: Uint8Array, at: number): number {
    const whole = this.#filled === 0 && chunk.length - at >= BLOCK;
    let block: Uint8Array = this.#block;
    let next = at + BLOCK;
    if (whole) block = chunk.subarray(at, next);
    else {
      next = Math.min(chunk.length, at + BLOCK - this.#filled);
      block.set(chunk.subarray(at, next), this.#filled);
      this.#filled += next - at;
      if (this.#filled < BLOCK) return next;
      this.#filled = 0;
    }
    if (this.#state === 'map') this.#map(block);
    else this.#header(block);
    return next;
  }

  #header(block: Uint8Array): void {
    const header = decodeHeader(block, this.#where);
    if (header === undefined) {
      this.#state = 'ended';
      return;
    }
    if ('LKxg'.includes(header.type)) return this.#beginExtension(header);
    const entry = this.#entryOf(header);
    if (header.type === 'S' && header.mapContinues) {
      this.#pending = entry;
      this.#state = 'map';
    } else this.#begin(entry);
  }

  /** An old sparse entry's map goes on in blocks before its contents; byte 504 says whether one more follows. */
  #map(block: Uint8Array): void {
    if (block[504] === 1 || this.#pending === undefined) return;
    this.#begin(this.#pending);
    this.#pending = undefined;
  }

  #beginExtension(header: RawHeader): void {
    const limit = 'LK'.includes(header.type) ? this.#nameBytes + 1 : MAX_EXTENSION;
    if (header.size > limit) {
      const message = `${this.#where} has an entry with ${header.size} bytes of name or extended header, at most ${limit} are read`;
      throw new SbomError('too-large', message);
    }
    this.#extension = { type: header.type, bytes: new Uint8Array(header.size), length: 0 };
    this.#contents('extension', header.size);
  }

  #entryOf(header: RawHeader): TarEntry {
    const pax = { ...this.#globalPax, ...this.#pax };
    const name = pax.path ?? this.#longName ?? header.name;
    const target = pax.linkpath ?? this.#longTarget ?? header.target;
    this.#pax = {};
    this.#longName = this.#longTarget = undefined;
    const kind = kindOfFlag(header.type, name);
    // links, folders and devices have no contents, whatever their size says; GNU's dumps of folders have
    const size = kind === 'file' || header.type === 'D' ? (pax.size ?? header.size) : 0;
    if (Math.max(name.length, target.length) > this.#nameBytes) {
      const message = `${this.#where} has an entry with a name of ${Math.max(name.length, target.length)} characters, at most ${this.#nameBytes} are read`;
      throw new SbomError('too-large', message);
    }
    return { name, kind, size, target, sparse: header.type === 'S' || pax.sparse === true };
  }

  #begin(entry: TarEntry): void {
    this.#sink = this.#onEntry(entry);
    this.#contents('contents', entry.size);
  }

  #contents(state: 'contents' | 'extension', size: number): void {
    this.#state = state;
    this.#left = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#finish();
  }

  #pass(chunk: Uint8Array, at: number): number {
    const next = Math.min(chunk.length, at + this.#left);
    if (this.#state === 'contents') this.#sink?.chunk(chunk.subarray(at, next));
    else if (this.#state === 'extension' && this.#extension !== undefined) {
      this.#extension.bytes.set(chunk.subarray(at, next), this.#extension.length);
      this.#extension.length += next - at;
    }
    this.#left -= next - at;
    if (this.#left === 0) this.#finish();
    return next;
  }

  /** The end of contents, of an extended header or of padding. */
  #finish(): void {
    if (this.#state === 'contents') {
      const sink = this.#sink;
      this.#sink = undefined;
      sink?.end();
    } else if (this.#state === 'extension') this.#endExtension();
    this.#left = this.#padding;
    this.#padding = 0;
    this.#state = this.#left > 0 ? 'padding' : 'header';
  }

  #endExtension(): void {
    const { type, bytes } = this.#extension ?? { type: '', bytes: new Uint8Array() };
    this.#extension = undefined;
    if (type === 'x') this.#pax = decodePaxRecords(bytes, this.#where);
    else if (type === 'g') this.#globalPax = { ...this.#globalPax, ...decodePaxRecords(bytes, this.#where) };
    else {
      const end = bytes.indexOf(0);
      const text = decodeName(end === -1 ? bytes : bytes.subarray(0, end));
      if (type === 'L') this.#longName = text;
      else this.#longTarget = text;
    }
  }
}
