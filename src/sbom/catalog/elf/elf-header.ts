// SPDX-License-Identifier: Apache-2.0

/** A part of a file that is loaded as data that may be written. */
export interface DataSegment {
  readonly at: number;
  readonly end: number;
}

/** What the beginning of an ELF file says. */
export interface ElfHeader {
  readonly littleEndian: boolean;
  readonly wide: boolean;
  /** bytes from the start that hold the program headers */
  readonly headEnd: number;
  readonly programs: ElfTable;
  /** headers of sections, and which of them has their names */
  readonly sections: ElfTable & { readonly names: number };
}

/** Entries of one size in a row. */
interface ElfTable {
  /** where in the file they begin */
  readonly at: number;
  /** bytes of one */
  readonly size: number;
  readonly count: number;
}

/** A part of a file that has a name. */
export interface ElfSection {
  readonly at: number;
  readonly size: number;
}

/** Bytes that {@link decodeElfHeader} needs. */
export const ELF_HEADER = 64;

const LOAD = 1;
const WRITABLE = 2;

/** @returns `undefined` for what is no ELF file. @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html */
export function decodeElfHeader(bytes: Uint8Array): ElfHeader | undefined {
  if (bytes.length < ELF_HEADER || !isElf(bytes)) return undefined;
  const [wide, littleEndian] = [bytes[4] === 2, bytes[5] === 1];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = wide ? Number(view.getBigUint64(32, littleEndian)) : view.getUint32(28, littleEndian);
  const size = view.getUint16(wide ? 54 : 42, littleEndian);
  const count = view.getUint16(wide ? 56 : 44, littleEndian);
  const sections = {
    at: wide ? Number(view.getBigUint64(40, littleEndian)) : view.getUint32(32, littleEndian),
    size: view.getUint16(wide ? 58 : 46, littleEndian),
    count: view.getUint16(wide ? 60 : 48, littleEndian),
    names: view.getUint16(wide ? 62 : 50, littleEndian),
  };
  return { littleEndian, wide, headEnd: at + size * count, programs: { at, size, count }, sections };
}

/** True for bytes that begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** The writable segments, by their place in the file. @param head the file's first `headEnd` bytes */
export function dataSegments(head: Uint8Array, header: ElfHeader): readonly DataSegment[] {
  const loaded = loadedSegments(head, header).filter(({ flags }) => (flags & WRITABLE) !== 0);
  return loaded.map(({ at, end }) => ({ at, end })).toSorted((a, b) => a.at - b.at);
}

/** Where in the file ends what is loaded; 0 where nothing is. Behind it lies what only tools read: sections with symbols, and others. */
export function loadedEnd(head: Uint8Array, header: ElfHeader): number {
  return loadedSegments(head, header).reduce((last, { end }) => Math.max(last, end), 0);
}

function loadedSegments(
  head: Uint8Array,
  { littleEndian, wide, programs }: ElfHeader,
): readonly (DataSegment & { readonly flags: number })[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const segments: (DataSegment & { readonly flags: number })[] = [];
  for (let index = 0; index < programs.count; index++) {
    const base = programs.at + index * programs.size;
    if (base + (wide ? 56 : 32) > head.length) break;
    const number = (offset: number): number => view.getUint32(base + offset, littleEndian);
    const word = (wide64: number, offset32: number): number =>
      wide ? Number(view.getBigUint64(base + wide64, littleEndian)) : number(offset32);
    if (number(0) !== LOAD) continue;
    const at = word(8, 4);
    segments.push({ at, end: at + word(32, 16), flags: number(wide ? 4 : 24) });
  }
  return segments;
}

/**
 * The section of a name.
 *
 * @param tail the end of a file, in which the headers of sections and their names are
 * @param tailAt where in the file it begins
 * @returns `undefined` where there is none, or its headers are not in the tail
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html
 */
export function findSection(
  tail: Uint8Array,
  tailAt: number,
  { littleEndian, wide, sections }: ElfHeader,
  name: string,
): ElfSection | undefined {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const read = (index: number): (ElfSection & { readonly name: number }) | undefined => {
    const base = sections.at - tailAt + index * sections.size;
    if (index >= sections.count || base < 0 || base + (wide ? 64 : 40) > tail.length) return undefined;
    const word = (wide64: number, offset32: number): number =>
      wide ? Number(view.getBigUint64(base + wide64, littleEndian)) : view.getUint32(base + offset32, littleEndian);
    return { name: view.getUint32(base, littleEndian), at: word(24, 16), size: word(32, 20) };
  };
  const names = read(sections.names);
  if (names === undefined) return undefined;
  const wanted = Buffer.from(`${name}\0`, 'latin1');
  for (let index = 0; index < sections.count; index++) {
    const section = read(index);
    if (section === undefined) return undefined;
    const at = names.at - tailAt + section.name;
    if (at < 0 || at + wanted.length > tail.length) continue;
    if (wanted.equals(tail.subarray(at, at + wanted.length))) return { at: section.at, size: section.size };
  }
  return undefined;
}
