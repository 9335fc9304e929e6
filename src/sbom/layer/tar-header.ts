// SPDX-License-Identifier: Apache-2.0
import { SbomError } from '../error.ts';

/** Bytes of a header, and what contents are padded to. */
export const BLOCK = 512;

/** What an entry of a layer is. `other` is a device, a pipe and the like: it has a name and no contents. */
export type TarKind = 'file' | 'hard-link' | 'symlink' | 'directory' | 'other';

/** One entry of a layer. */
export interface TarEntry {
  /** as it stands in the archive; bytes that are no UTF-8 are written `\xff` */
  readonly name: string;
  readonly kind: TarKind;
  /** bytes of contents in the archive */
  readonly size: number;
  /** what a link leads to, as it stands in the archive */
  readonly target: string;
  /** holes are left out of the contents, so that they are not the file's */
  readonly sparse: boolean;
}

/** A header block as it stands there, before what preceding blocks say of it. */
export interface RawHeader {
  readonly type: string;
  readonly name: string;
  readonly target: string;
  readonly size: number;
  /** an old GNU sparse entry whose map goes on in a further block */
  readonly mapContinues: boolean;
}

const LATIN = new TextDecoder('latin1');
const STRICT = new TextDecoder('utf-8', { fatal: true });

/** Text of an archive; what is no UTF-8 stays distinguishable. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return LATIN.decode(bytes).replace(/[\u0080-\u00ff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
  }
}

/**
 * Decodes a block. `undefined` for a block of zeros, which ends an archive.
 *
 * @throws SbomError `layer-malformed`
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
 */
export function decodeHeader(block: Uint8Array, where: string): RawHeader | undefined {
  const sums = checksums(block);
  if (sums === undefined) return undefined;
  const told = decodeNumber(block.subarray(148, 156), 'checksum', where);
  if (told !== sums.unsigned && told !== sums.signed) {
    throw new SbomError(
      'layer-malformed',
      `${where} has an entry whose checksum is ${told}, expected ${sums.unsigned}`,
    );
  }
  const flag = block[156] ?? 0;
  // POSIX says ustar\0, GNU says "ustar  \0": only the first has a prefix
  const posix = block[257] === 0x75 && block[261] === 0x72 && block[262] === 0;
  const prefix = posix ? field(block, 345, 155) : '';
  const name = field(block, 0, 100);
  return {
    type: flag === 0 ? '0' : String.fromCharCode(flag),
    name: prefix === '' ? name : `${prefix}/${name}`,
    target: field(block, 157, 100),
    size: decodeNumber(block.subarray(124, 136), 'size', where),
    mapContinues: block[482] === 1,
  };
}

/** What the entry is, by its flag. Unknown flags are files, as POSIX asks. */
export function kindOfFlag(flag: string, name: string): TarKind {
  if (flag === '1') return 'hard-link';
  if (flag === '2') return 'symlink';
  if (flag === '5' || flag === 'D') return 'directory';
  if (flag === '3' || flag === '4' || flag === '6') return 'other';
  return flag === '0' && name.endsWith('/') ? 'directory' : 'file';
}

function field(block: Uint8Array, at: number, length: number): string {
  const end = block.indexOf(0, at);
  const bytes = block.subarray(at, end === -1 || end > at + length ? at + length : end);
  return bytes.length === 0 ? '' : decodeName(bytes);
}

/** Octal digits, or GNU's big-endian number where the first bit is set. */
function decodeNumber(bytes: Uint8Array, what: string, where: string): number {
  const [first = 0] = bytes;
  let value = 0;
  if (first >= 0x80) {
    // 0xff begins a negative number, of which no size is one
    value = first & 0x7f;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
    if (first < 0xff && Number.isSafeInteger(value)) return value;
  } else {
    const text = LATIN.decode(bytes).replace(/^[ \0]+|[ \0][^]*$/g, '');
    if (text === '') return 0;
    value = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
  }
  throw new SbomError('layer-malformed', `${where} has an entry whose ${what} is no number`);
}

/** Both sums: old programs added signed bytes. `undefined` where all bytes are zero. */
function checksums(block: Uint8Array): { readonly unsigned: number; readonly signed: number } | undefined {
  let unsigned = 0;
  let high = 0;
  for (let at = 0; at < BLOCK; at++) {
    const byte = block[at] as number;
    unsigned += byte;
    if (byte > 127) high++;
  }
  if (unsigned === 0) return undefined;
  // the checksum's own field counts as spaces
  for (let at = 148; at < 156; at++) {
    const byte = block[at] as number;
    unsigned += 0x20 - byte;
    if (byte > 127) high--;
  }
  return { unsigned, signed: unsigned - 256 * high };
}
