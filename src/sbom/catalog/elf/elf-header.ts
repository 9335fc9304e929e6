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
  readonly programs: { readonly at: number; readonly size: number; readonly count: number };
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
  return { littleEndian, wide, headEnd: at + size * count, programs: { at, size, count } };
}

/** True for bytes that begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** The writable segments, by their place in the file. @param head the file's first `headEnd` bytes */
export function dataSegments(head: Uint8Array, { littleEndian, wide, programs }: ElfHeader): readonly DataSegment[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const segments: DataSegment[] = [];
  for (let index = 0; index < programs.count; index++) {
    const base = programs.at + index * programs.size;
    if (base + (wide ? 56 : 32) > head.length) break;
    const number = (offset: number): number => view.getUint32(base + offset, littleEndian);
    const word = (wide64: number, offset32: number): number =>
      wide ? Number(view.getBigUint64(base + wide64, littleEndian)) : number(offset32);
    if (number(0) !== LOAD || (number(wide ? 4 : 24) & WRITABLE) === 0) continue;
    const at = word(8, 4);
    segments.push({ at, end: at + word(32, 16) });
  }
  return segments.toSorted((a, b) => a.at - b.at);
}
