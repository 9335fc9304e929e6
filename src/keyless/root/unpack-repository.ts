// SPDX-License-Identifier: Apache-2.0
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { KeylessError } from '../error.ts';

const BLOCK = 512;
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_ENTRIES = 5000;
const MAX_NAME = 1024;

/**
 * The files of a TUF repository from an archive: tar, compressed with gzip. They stay in memory, and are named from the folder in which its
 * `timestamp.json` lies. Links, devices and what is not a file are not read; a path that climbs, a number that is none and a checksum that is
 * wrong are refused.
 *
 * @throws KeylessError `trust-rejected`
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06
 */
export async function unpackRepository(archive: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  let bytes: Uint8Array;
  try {
    bytes = await promisify(gunzip)(archive, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw rejected(tooLarge ? `it unpacks to more than ${MAX_BYTES} bytes` : 'it is not compressed with gzip');
  }
  const files = readEntries(bytes);
  const folders = [...files.keys()].flatMap((name) => /^(.*\/|)timestamp\.json$/.exec(name)?.[1] ?? []);
  const [folder] = folders.toSorted((a, b) => a.length - b.length);
  if (folder === undefined) throw rejected('it has no timestamp.json');
  return new Map(
    [...files].flatMap(([name, content]) =>
      name.startsWith(folder) ? [[name.slice(folder.length), content] as const] : [],
    ),
  );
}

function readEntries(archive: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let at = 0;
  let longName: string | undefined;
  for (let entries = 0; at + BLOCK <= archive.byteLength; entries++) {
    if (entries > MAX_ENTRIES) throw rejected(`it has more than ${MAX_ENTRIES} entries`);
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const { name, size, type } = readHeader(header);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (content.byteLength !== size) throw rejected('it ends in the middle of a file');
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'L') longName = untilZero(content);
    else if (type === 'x') longName = paxPath(content) ?? longName;
    else if (type !== 'g') {
      if (type === '0' || type === '\0') files.set(safePath(longName ?? name), content);
      longName = undefined;
    }
  }
  return files;
}

function readHeader(header: Uint8Array): { readonly name: string; readonly size: number; readonly type: string } {
  // the checksum is made with spaces in its own place
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (octal(header.subarray(148, 156)) !== sum) throw rejected('it is not an archive of tar');
  const prefix = untilZero(header.subarray(257, 262)) === 'ustar' ? untilZero(header.subarray(345, 500)) : '';
  const own = untilZero(header.subarray(0, 100));
  return {
    name: prefix === '' ? own : `${prefix}/${own}`,
    size: octal(header.subarray(124, 136)),
    type: String.fromCharCode(header[156] ?? 0),
  };
}

function octal(field: Uint8Array): number {
  const text = untilZero(field).trim();
  if (!/^[0-7]{1,11}$/.test(text)) throw rejected('it is not an archive of tar');
  return Number.parseInt(text, 8);
}

function untilZero(field: Uint8Array): string {
  const end = field.indexOf(0);
  return Buffer.from(end === -1 ? field : field.subarray(0, end)).toString();
}

/** `27 path=a/long/name` */
function paxPath(records: Uint8Array): string | undefined {
  return /(?:^|\n)\d+ path=([^\n]*)\n/.exec(Buffer.from(records).toString())?.[1];
}

function safePath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.length > MAX_NAME || name.includes('\0'))
    throw rejected('it has a file whose path climbs out of it');
  return parts.join('/');
}

function rejected(why: string): KeylessError {
  return new KeylessError('trust-rejected', `the archive of a TUF repository cannot be read: ${why}`);
}
