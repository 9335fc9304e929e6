// SPDX-License-Identifier: Apache-2.0
import { FileFault } from '../cataloger.ts';

/** Tags that are read. @see https://rpm-software-management.github.io/rpm/manual/tags.html */
export const Tag = {
  name: 1000,
  version: 1001,
  release: 1002,
  epoch: 1003,
  vendor: 1011,
  license: 1014,
  url: 1020,
  arch: 1022,
  sourceRpm: 1044,
  dirIndexes: 1116,
  baseNames: 1117,
  dirNames: 1118,
} as const;

const INDEX_ENTRY = 16;
/** as rpm itself allows: entries of a header, and bytes of their values */
const MAX_ENTRIES = 65_535;
const Type = { int32: 4, string: 6, stringArray: 8, i18nString: 9 } as const;

/**
 * A header as rpm keeps it in its database: an index of tags, then their values.
 * @see https://rpm-software-management.github.io/rpm/manual/format_header.html
 */
export class RpmHeader {
  readonly #store: Buffer;
  readonly #entries = new Map<number, { readonly type: number; readonly at: number; readonly count: number }>();

  /** @throws FileFault */
  constructor(blob: Uint8Array) {
    const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
    const count = bytes.length < 8 ? 0 : bytes.readUInt32BE(0);
    const start = 8 + INDEX_ENTRY * count;
    if (count === 0 || count > MAX_ENTRIES || start + bytes.readUInt32BE(4) > bytes.length) {
      throw new FileFault('it has a package header that is malformed');
    }
    this.#store = bytes.subarray(start, start + bytes.readUInt32BE(4));
    for (let at = 8; at < start; at += INDEX_ENTRY) {
      const entry = {
        type: bytes.readUInt32BE(at + 4),
        at: bytes.readUInt32BE(at + 8),
        count: bytes.readUInt32BE(at + 12),
      };
      this.#entries.set(bytes.readUInt32BE(at), entry);
    }
  }

  /** The first string of a tag; `undefined` where it has none. */
  text(tag: number): string | undefined {
    return this.texts(tag, 1)[0];
  }

  /** All strings of a tag. @throws FileFault where they go beyond the header */
  texts(tag: number, most: number = Infinity): readonly string[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined || ![Type.string, Type.stringArray, Type.i18nString].some((type) => type === entry.type))
      return [];
    const count = entry.type === Type.string ? 1 : Math.min(entry.count, most);
    const found: string[] = [];
    for (let at = entry.at; found.length < count;) {
      const end = at > this.#store.length ? -1 : this.#store.indexOf(0, at);
      if (end === -1) throw new FileFault('it has a package header whose text goes beyond it');
      found.push(this.#store.toString('utf8', at, end));
      at = end + 1;
    }
    return found;
  }

  /** All numbers of a tag. @throws as {@link texts} */
  numbers(tag: number): readonly number[] {
    const entry = this.#entries.get(tag);
    if (entry === undefined || entry.type !== Type.int32) return [];
    if (entry.at + 4 * entry.count > this.#store.length) {
      throw new FileFault('it has a package header whose numbers go beyond it');
    }
    return Array.from({ length: entry.count }, (_, index) => this.#store.readUInt32BE(entry.at + 4 * index));
  }
}
