// SPDX-License-Identifier: Apache-2.0
import { inflateRawSync } from 'node:zlib';
import { FileFault } from '../cataloger.ts';

/** One file in an archive. */
export interface ZipEntry {
  readonly name: string;
  /** bytes, unpacked, as the directory says */
  readonly size: number;
  readonly packedSize: number;
  /** 0 is stored, 8 is deflated */
  readonly method: number;
  readonly encrypted: boolean;
  /** of its local header */
  readonly at: number;
}

const END = 22;
const END_SIGNATURE = 0x06054b50;
const LOCATOR = 20;
const LOCATOR_SIGNATURE = 0x07064b50;
const END64_SIGNATURE = 0x06064b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const MAX_COMMENT = 65_535;
const MAX_ENTRIES = 500_000;

/**
 * A zip archive in memory, by its directory at the end; what stands before it (the script of an executable jar) does not matter.
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */
export class ZipArchive {
  readonly #bytes: Buffer;
  /** where offsets count from */
  readonly #base: number;
  readonly #directory: { readonly at: number; readonly end: number };

  /** @throws FileFault for what is no archive */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const end = this.#findEnd();
    const { size, offset, before } = this.#directoryOf(end);
    if (size > before) throw new FileFault('it is a zip archive whose directory is larger than the archive');
    this.#directory = { at: before - size, end: before };
    this.#base = before - size - offset;
    if (this.#base < 0) throw new FileFault('it is a zip archive whose directory is not where its end says');
  }

  /** What the directory lists. @throws FileFault where it is malformed */
  *entries(): Generator<ZipEntry> {
    const { at: start, end } = this.#directory;
    let count = 0;
    for (let at = start; at < end;) {
      if (at + 46 > end || this.#bytes.readUInt32LE(at) !== ENTRY_SIGNATURE) {
        throw new FileFault('it is a zip archive whose directory is malformed');
      }
      if (++count > MAX_ENTRIES)
        throw new FileFault(`it is a zip archive of more than ${MAX_ENTRIES} files`, 'file-too-large');
      const [name, extra, comment] = [28, 30, 32].map((field) => this.#bytes.readUInt16LE(at + field));
      const next = at + 46 + (name ?? 0) + (extra ?? 0) + (comment ?? 0);
      if (next > end) throw new FileFault('it is a zip archive whose directory is malformed');
      yield this.#entryAt(at, name ?? 0, extra ?? 0);
      at = next;
    }
  }

  /** The contents of a file. @throws FileFault where it is larger than allowed, encrypted, packed in an unknown way, or broken */
  read(entry: ZipEntry, maxBytes: number): Uint8Array {
    const { name, size, packedSize, method, encrypted } = entry;
    const where = `its file ${JSON.stringify(name.slice(0, 200))}`;
    if (encrypted) throw new FileFault(`${where} is encrypted`);
    if (size > maxBytes)
      throw new FileFault(`${where} has ${size} bytes, at most ${maxBytes} are read`, 'file-too-large');
    const at = this.#base + entry.at;
    if (at + 30 > this.#bytes.length || this.#bytes.readUInt32LE(at) !== LOCAL_SIGNATURE) {
      throw new FileFault(`${where} is not where the directory says`);
    }
    const start = at + 30 + this.#bytes.readUInt16LE(at + 26) + this.#bytes.readUInt16LE(at + 28);
    if (start + packedSize > this.#bytes.length) throw new FileFault(`${where} goes beyond the archive`);
    const packed = this.#bytes.subarray(start, start + packedSize);
    if (method === 0) return packed;
    if (method !== 8) throw new FileFault(`${where} is packed by method ${method}, expected 0 or 8`);
    try {
      return inflateRawSync(packed, { maxOutputLength: Math.max(1, Math.min(size, maxBytes)) });
    } catch (cause) {
      throw new FileFault(`${where} cannot be unpacked: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }

  #entryAt(at: number, nameLength: number, extraLength: number): ZipEntry {
    const bytes = this.#bytes;
    const entry = {
      name: bytes.toString('utf8', at + 46, at + 46 + nameLength),
      method: bytes.readUInt16LE(at + 10),
      encrypted: (bytes.readUInt16LE(at + 8) & 1) === 1,
    };
    const short = [24, 20, 42].map((field) => bytes.readUInt32LE(at + field));
    // sizes beyond 32 bits stand in an extra field, in this order, each only where it is needed
    const wide = this.#wideValues(at + 46 + nameLength, extraLength);
    const [size = 0, packedSize = 0, offset = 0] = short.map((value) =>
      value === 0xffffffff ? (wide.shift() ?? value) : value,
    );
    return { ...entry, size, packedSize, at: offset };
  }

  #wideValues(start: number, length: number): number[] {
    for (let at = start; at + 4 <= start + length;) {
      const [id, size] = [this.#bytes.readUInt16LE(at), this.#bytes.readUInt16LE(at + 2)];
      if (id === 1 && at + 4 + size <= start + length) {
        const count = Math.min(3, Math.floor(size / 8));
        return Array.from({ length: count }, (_, index) => Number(this.#bytes.readBigUInt64LE(at + 4 + 8 * index)));
      }
      at += 4 + size;
    }
    return [];
  }

  #findEnd(): number {
    const last = this.#bytes.length - END;
    for (let at = last; at >= Math.max(0, last - MAX_COMMENT); at--) {
      if (this.#bytes.readUInt32LE(at) === END_SIGNATURE) return at;
    }
    throw new FileFault('it is no zip archive');
  }

  #directoryOf(end: number): { readonly size: number; readonly offset: number; readonly before: number } {
    const bytes = this.#bytes;
    const locator = end - LOCATOR;
    if (locator >= 0 && bytes.readUInt32LE(locator) === LOCATOR_SIGNATURE) {
      // what stands before the archive moves it, and then the locator does not tell where it is: its fixed size does
      const told = Number(bytes.readBigUInt64LE(locator + 8));
      for (const at of [told, locator - 56]) {
        if (at < 0 || at + 56 > locator || bytes.readUInt32LE(at) !== END64_SIGNATURE) continue;
        return {
          size: Number(bytes.readBigUInt64LE(at + 40)),
          offset: Number(bytes.readBigUInt64LE(at + 48)),
          before: at,
        };
      }
    }
    return { size: bytes.readUInt32LE(end + 12), offset: bytes.readUInt32LE(end + 16), before: end };
  }
}
