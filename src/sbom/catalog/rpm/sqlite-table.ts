// SPDX-License-Identifier: Apache-2.0
import { FileFault } from '../cataloger.ts';

/** levels of a b-tree; four billion pages need fewer */
const MAX_DEPTH = 20;

/** A value of a row; text is left as its bytes. */
export type SqliteValue = Uint8Array | number | undefined;

/**
 * Reads the rows of a table of an SQLite database in memory, in the order of their keys. Only b-trees are followed: no SQL of the file is
 * ever run, so that a hostile view, trigger or virtual table has nothing to act on, and work is bounded by the size of the file.
 *
 * @throws FileFault
 * @see https://www.sqlite.org/fileformat2.html
 */
export function* sqliteRows(file: Uint8Array, table: string): Generator<readonly SqliteValue[]> {
  const database = new Database(file);
  const name = Buffer.from(table);
  for (const [type, , called, root] of database.rows(1)) {
    if (!isText(type, 'table') || !(called instanceof Uint8Array) || name.compare(called) !== 0) continue;
    if (typeof root !== 'number') throw new FileFault(`its table ${table} has no root page`);
    yield* database.rows(root);
    return;
  }
  throw new FileFault(`it is an SQLite database without a table ${table}`);
}

function isText(value: SqliteValue, text: string): boolean {
  return value instanceof Uint8Array && Buffer.from(text).compare(value) === 0;
}

class Database {
  readonly #bytes: Buffer;
  readonly #pageSize: number;
  /** bytes of a page that hold content */
  readonly #usable: number;
  readonly #pages: number;
  /** bytes of rows that may still be read: pages can be named twice, and then a small file holds endless rows */
  #allowance: number;

  constructor(file: Uint8Array) {
    this.#bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    if (this.#bytes.toString('latin1', 0, 16) !== 'SQLite format 3\0' || file.length < 512) {
      throw new FileFault('it is no SQLite database');
    }
    const size = this.#bytes.readUInt16BE(16);
    this.#pageSize = size === 1 ? 65536 : size;
    if (this.#pageSize < 512 || (this.#pageSize & (this.#pageSize - 1)) !== 0) {
      throw new FileFault(`it has pages of ${this.#pageSize} bytes`);
    }
    this.#usable = this.#pageSize - (this.#bytes[20] ?? 0);
    if (this.#usable < 480) throw new FileFault(`it has pages of which ${this.#usable} bytes are used`);
    this.#pages = Math.floor(file.length / this.#pageSize);
    this.#allowance = 2 * file.length;
  }

  *rows(root: number): Generator<readonly SqliteValue[]> {
    yield* this.#walk(root, 0, new Set());
  }

  *#walk(number: number, depth: number, seen: Set<number>): Generator<readonly SqliteValue[]> {
    if (depth > MAX_DEPTH || seen.has(number)) throw new FileFault('its pages lead in a circle');
    seen.add(number);
    const page = this.#page(number);
    // the first page begins with the file's own header
    const head = number === 1 ? 100 : 0;
    const kind = page[head];
    const cells = page.readUInt16BE(head + 3);
    const pointers = head + (kind === 0x05 ? 12 : 8);
    if ((kind !== 0x05 && kind !== 0x0d) || pointers + 2 * cells > page.length) {
      throw new FileFault(`its page ${number} is no page of a table`);
    }
    for (let cell = 0; cell < cells; cell++) {
      const at = page.readUInt16BE(pointers + 2 * cell);
      if (kind === 0x05) yield* this.#walk(uint32(page, at), depth + 1, seen);
      else yield this.#row(page, at);
    }
    if (kind === 0x05) yield* this.#walk(page.readUInt32BE(head + 8), depth + 1, seen);
  }

  #row(page: Buffer, at: number): readonly SqliteValue[] {
    const [length, afterLength] = varint(page, at);
    const [, start] = varint(page, afterLength);
    this.#allowance -= length + 1;
    if (this.#allowance < 0) throw new FileFault('its rows hold more than the file');
    return decodeRecord(this.#payload(page, start, length));
  }

  /** What does not fit in a page goes on in a chain of others. Section 1.6 of the format. */
  #payload(page: Buffer, start: number, length: number): Buffer {
    const usable = this.#usable;
    const most = usable - 35;
    if (length <= most) return slice(page, start, length);
    const least = Math.floor(((usable - 12) * 32) / 255) - 23;
    const wanted = least + ((length - least) % (usable - 4));
    const local = wanted <= most ? wanted : least;
    const parts = [slice(page, start, local)];
    let next = uint32(page, start + local);
    for (let left = length - local; left > 0;) {
      const overflow = this.#page(next);
      const part = overflow.subarray(4, 4 + Math.min(left, usable - 4));
      parts.push(part);
      left -= part.length;
      next = overflow.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }

  #page(number: number): Buffer {
    if (number < 1 || number > this.#pages) throw new FileFault(`it names page ${number} of ${this.#pages}`);
    return this.#bytes.subarray((number - 1) * this.#pageSize, number * this.#pageSize);
  }
}

/** Section 2.1 of the format. */
function decodeRecord(record: Buffer): readonly SqliteValue[] {
  const [headerLength, first] = varint(record, 0);
  if (headerLength > record.length) throw new FileFault('it has a row whose header is longer than the row');
  const values: SqliteValue[] = [];
  let content = headerLength;
  for (let at = first; at < headerLength;) {
    const [type, next] = varint(record, at);
    at = next;
    const length = lengthOf(type);
    const bytes = slice(record, content, length);
    content += length;
    if (type >= 12) values.push(bytes);
    else if (type === 8 || type === 9) values.push(type - 8);
    else if (type >= 1 && type <= 4) values.push(bytes.readIntBE(0, length));
    else values.push(undefined); // null, and numbers that no table of ours has
  }
  return values;
}

function lengthOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0][type] ?? 0;
}

function uint32(page: Buffer, at: number): number {
  return slice(page, at, 4).readUInt32BE(0);
}

function slice(bytes: Buffer, at: number, length: number): Buffer {
  if (at + length <= bytes.length) return bytes.subarray(at, at + length);
  throw new FileFault('it has a row that goes beyond its page');
}

/** Up to nine bytes, seven bits each, the first the highest. What is beyond 2^53 names nothing in a file. */
function varint(bytes: Buffer, at: number): readonly [value: number, next: number] {
  let value = 0;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) break;
    if (index === 8) return [value * 256 + byte, at + 9];
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [value, at + index + 1];
  }
  throw new FileFault('it has a number that goes beyond its page');
}
