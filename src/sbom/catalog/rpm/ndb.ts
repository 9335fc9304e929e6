// SPDX-License-Identifier: Apache-2.0
import { FileFault } from '../cataloger.ts';

const HEADER = 32;
const PAGE = 4096;
const SLOT = 16;
const BLOCK = 16;
const BLOB_HEAD = 16;

/**
 * The headers in an rpm database of the kind `ndb` (`Packages.db`), as SUSE has it: a table of slots, each with the place of a blob.
 *
 * @throws FileFault
 * @see https://github.com/rpm-software-management/rpm/blob/master/lib/backend/ndb/rpmpkg.c
 */
export function* ndbBlobs(file: Uint8Array): Generator<Uint8Array> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < HEADER || bytes.toString('latin1', 0, 4) !== 'RpmP') throw new FileFault('it is no ndb database');
  const version = bytes.readUInt32LE(4);
  if (version !== 0)
    throw new FileFault(`it is an ndb database of version ${version}, expected 0`, 'database-unsupported');
  const end = bytes.readUInt32LE(12) * PAGE;
  if (end > bytes.length) throw new FileFault('it ends within its table of slots');
  let allowance = 2 * bytes.length;
  for (let at = HEADER; at < end; at += SLOT) {
    if (bytes.toString('latin1', at, at + 4) !== 'Slot') throw new FileFault('it has a slot that is none');
    const index = bytes.readUInt32LE(at + 4);
    const start = bytes.readUInt32LE(at + 8) * BLOCK;
    if (start === 0) continue; // free
    if (start + BLOB_HEAD > bytes.length || bytes.toString('latin1', start, start + 4) !== 'BlbS') {
      throw new FileFault(`its package ${index} is not where the slot says`);
    }
    const length = bytes.readUInt32LE(start + 12);
    allowance -= length;
    if (bytes.readUInt32LE(start + 4) !== index || start + BLOB_HEAD + length > bytes.length || allowance < 0) {
      throw new FileFault(`its package ${index} is not what the slot says`);
    }
    yield bytes.subarray(start + BLOB_HEAD, start + BLOB_HEAD + length);
  }
}
