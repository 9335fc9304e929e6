// SPDX-License-Identifier: Apache-2.0
import { SbomError } from '../error.ts';
import { decodeName } from './tar-header.ts';

/** What pax records say of an entry; everything else in them (times, owners, attributes) is left out. */
export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  readonly sparse?: boolean;
}

/**
 * Decodes extended headers: `LENGTH KEY=VALUE\n`, one after another.
 *
 * @throws SbomError `layer-malformed`
 * @see https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03
 */
export function decodePaxRecords(bytes: Uint8Array, where: string): PaxRecords {
  const records: PaxRecords = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 || space - at > 10 ? '' : Buffer.from(bytes.subarray(at, space)).toString('latin1');
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space + 1);
    if (end > bytes.length || equals === -1 || equals >= end || bytes[end - 1] !== 0x0a) {
      throw new SbomError('layer-malformed', `${where} has an extended header that is not LENGTH KEY=VALUE`);
    }
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1');
    Object.assign(records, recordOf(key, bytes.subarray(equals + 1, end - 1), where));
    at = end;
  }
  return records;
}

function recordOf(key: string, value: Uint8Array, where: string): PaxRecords {
  // an empty value takes a record back
  if (key === 'path') return value.length === 0 ? {} : { path: decodeName(value) };
  if (key === 'linkpath') return value.length === 0 ? {} : { linkpath: decodeName(value) };
  if (key === 'GNU.sparse.name') return { path: decodeName(value), sparse: true };
  if (key.startsWith('GNU.sparse.')) return { sparse: true };
  if (key !== 'size' || value.length === 0) return {};
  const size = Number(Buffer.from(value).toString('latin1'));
  if (Number.isSafeInteger(size) && size >= 0) return { size };
  throw new SbomError('layer-malformed', `${where} has an extended header whose size is no number`);
}
