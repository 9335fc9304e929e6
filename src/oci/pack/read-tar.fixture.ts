// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

/** An entry as a reader of archives sees it. */
export interface ReadEntry {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly mtime: number;
  readonly owner: string;
  readonly target: string;
  readonly content: Uint8Array;
}

/** Reads an archive by the book, apart from the writer: checks sums, sizes, padding and the end. */
export function readTar(archive: Uint8Array): readonly ReadEntry[] {
  const bytes = Buffer.from(archive);
  assert.equal(bytes.byteLength % 512, 0);
  const entries: ReadEntry[] = [];
  let extended = new Map<string, string>();
  let at = 0;
  for (; bytes[at] !== 0;) {
    const header = bytes.subarray(at, at + 512);
    assert.equal(header.toString('latin1', 257, 265), 'ustar\x0000');
    const sum = header.reduce((total, byte, place) => total + (place >= 148 && place < 156 ? 0x20 : byte), 0);
    assert.equal(octal(header, 148, 8), sum);
    const size = Number(extended.get('size') ?? octal(header, 124, 12));
    const content = bytes.subarray(at + 512, at + 512 + size);
    assert.equal(content.byteLength, size);
    const next = at + 512 + Math.ceil(size / 512) * 512;
    assert.ok(bytes.subarray(at + 512 + size, next).every((byte) => byte === 0));
    at = next;
    const type = header.toString('latin1', 156, 157);
    if (type === 'x') {
      extended = readRecords(content);
      continue;
    }
    entries.push({
      path: extended.get('path') ?? text(header, 0, 100),
      type,
      mode: octal(header, 100, 8),
      mtime: Number(extended.get('mtime') ?? octal(header, 136, 12)),
      owner: `${octal(header, 108, 8)}:${octal(header, 116, 8)} ${text(header, 265, 32)}:${text(header, 297, 32)}`,
      target: extended.get('linkpath') ?? text(header, 157, 100),
      content: new Uint8Array(content),
    });
    extended = new Map();
  }
  assert.equal(bytes.byteLength - at, 1024);
  assert.ok(bytes.subarray(at).every((byte) => byte === 0));
  return entries;
}

function readRecords(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.byteLength;) {
    const length = Number(content.toString('latin1', at, content.indexOf(' ', at)));
    const record = content.toString('utf8', content.indexOf(' ', at) + 1, at + length);
    assert.ok(record.endsWith('\n'));
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at += length;
  }
  return records;
}

function text(header: Buffer, at: number, length: number): string {
  const field = header.toString('latin1', at, at + length);
  const end = field.indexOf('\0');
  return end === -1 ? field : field.slice(0, end);
}

function octal(header: Buffer, at: number, length: number): number {
  const digits = text(header, at, length).trim();
  assert.match(digits, /^[0-7]+$/);
  return Number.parseInt(digits, 8);
}
