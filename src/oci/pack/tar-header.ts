// SPDX-License-Identifier: Apache-2.0
import { PackFault } from './pack-fault.ts';
import { quoted } from '../quoted.ts';

/** One file of an archive, without its content. */
export interface TarEntry {
  readonly kind: 'file' | 'directory' | 'link';
  /** relative, separated by `/`, without one at the end */
  readonly path: string;
  /** permission bits */
  readonly mode: number;
  /** bytes that follow the header; 0 but for files */
  readonly size: number;
  /** seconds since 1970 */
  readonly mtime: number;
  /** where a link leads */
  readonly target?: string;
}

export const TAR_BLOCK = 512;
const TYPES = { file: '0', directory: '5', link: '2', extended: 'x' } as const;
/** What 11 octal digits hold: 8 GiB, and the year 2242. */
const MAX_OCTAL = 0o77777777777;

/**
 * The header of an entry: a ustar block, behind an extended header (pax) where names are long or not ASCII, or the file has 8 GiB.
 * Owner and group are always 0, so that nothing of the machine gets in.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
 */
export function tarHeader(entry: TarEntry): Uint8Array {
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  const target = entry.target ?? '';
  const records = [
    fitsUstar(path) ? '' : paxRecord('path', path),
    fitsUstar(target) ? '' : paxRecord('linkpath', target),
    entry.size <= MAX_OCTAL ? '' : paxRecord('size', `${entry.size}`),
    entry.mtime <= MAX_OCTAL ? '' : paxRecord('mtime', `${entry.mtime}`),
  ].join('');
  const mtime = Math.min(entry.mtime, MAX_OCTAL);
  const block = ustarBlock({
    path: fitsUstar(path) ? path : 'in-the-extended-header',
    target: fitsUstar(target) ? target : '',
    mode: entry.mode,
    size: entry.size <= MAX_OCTAL ? entry.size : 0,
    mtime,
    type: TYPES[entry.kind],
  });
  if (records === '') return block;
  const body = Buffer.from(records);
  const extended = {
    path: 'PaxHeaders/entry',
    target: '',
    mode: 0o644,
    size: body.byteLength,
    mtime,
    type: TYPES.extended,
  };
  return Buffer.concat([ustarBlock(extended), body, tarPadding(body.byteLength), block]);
}

/** What fills the last block of a content of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
}

interface UstarFields {
  readonly path: string;
  readonly target: string;
  readonly mode: number;
  readonly size: number;
  readonly mtime: number;
  readonly type: string;
}

function ustarBlock(fields: UstarFields): Uint8Array {
  const block = Buffer.alloc(TAR_BLOCK);
  const octal = (value: number, at: number, digits: number): number =>
    block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  block.write(fields.path, 0, 'latin1');
  octal(fields.mode & 0o7777, 100, 7);
  octal(0, 108, 7); // owner
  octal(0, 116, 7); // group
  octal(fields.size, 124, 11);
  octal(fields.mtime, 136, 11);
  block.fill(' ', 148, 156); // the sum counts its own field as blanks
  block.write(fields.type, 156, 'latin1');
  block.write(fields.target, 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 7); // device
  octal(0, 337, 7);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function fitsUstar(text: string): boolean {
  return text.length <= 100 && /^[\x20-\x7e]*$/.test(text);
}

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + `${rest}`.length;
  if (`${length}`.length > `${rest}`.length) length = rest + `${length}`.length;
  return `${length} ${key}=${value}\n`;
}

/**
 * The text of a name from the file system.
 * @throws PackFault `name-unsupported` for bytes that are no UTF-8: an archive could not name the file
 */
export function nameOf(bytes: Uint8Array, where: string): string {
  const text = Buffer.from(bytes).toString('utf8');
  if (Buffer.compare(Buffer.from(text), bytes) === 0) return text;
  throw new PackFault('name-unsupported', `the name ${quoted(text)} in ${quoted(where)} is not UTF-8`);
}
