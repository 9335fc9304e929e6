// SPDX-License-Identifier: Apache-2.0
import type { ByteRange } from '../../store/index.ts';

/**
 * Reads a Range header for content of `size` bytes. Undefined where the whole is to be sent: no header, another unit, or several
 * ranges, which a server may answer so. `unsatisfiable` where nothing of it is there, or it ends before it begins.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-14.2
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  const [, first, last] = match ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return start >= size || start > end ? 'unsatisfiable' : { start, end };
}

/**
 * Reads the Content-Range of a chunk as the distribution specification writes it (`0-511`), or as HTTP does (`bytes 0-511/*`).
 *
 * @returns `malformed` where it is none
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
 */
export function parseContentRange(header: string | undefined): ByteRange | 'malformed' | undefined {
  if (header === undefined) return undefined;
  const [, start, end] = /^(?:bytes )?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim()) ?? [];
  if (start === undefined || end === undefined || Number(end) < Number(start)) return 'malformed';
  return { start: Number(start), end: Number(end) };
}
