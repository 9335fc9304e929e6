// SPDX-License-Identifier: Apache-2.0

/**
 * An ndb database as rpm writes it (lib/backend/ndb/rpmpkg.c): a header and slots in pages of 4096 bytes, then the blobs in blocks of 16.
 *
 * @param blobs `undefined` leaves a free slot, as a removed package does
 */
export function ndbDatabase(blobs: readonly (Uint8Array | undefined)[]): Buffer {
  const slots = 2 + blobs.length;
  const pages = Math.ceil((slots * 16) / 4096);
  const table = Buffer.alloc(pages * 4096);
  table.write('RpmP', 0, 'latin1');
  table.writeUInt32LE(0, 4);
  table.writeUInt32LE(blobs.length, 8);
  table.writeUInt32LE(pages, 12);
  table.writeUInt32LE(blobs.length + 1, 16);
  for (let at = 32; at < table.length; at += 16) table.write('Slot', at, 'latin1');
  const parts: Buffer[] = [table];
  let block = table.length / 16;
  for (const [at, blob] of blobs.entries()) {
    if (blob === undefined) continue;
    const blocks = Math.ceil((16 + blob.length + 12) / 16);
    const part = Buffer.alloc(blocks * 16);
    part.write('BlbS', 0, 'latin1');
    part.writeUInt32LE(at + 1, 4);
    part.writeUInt32LE(1_700_000_000, 8);
    part.writeUInt32LE(blob.length, 12);
    part.set(blob, 16);
    part.writeUInt32LE(adler32(part.subarray(0, part.length - 12)), part.length - 12);
    part.writeUInt32LE(blob.length, part.length - 8);
    part.write('BlbE', part.length - 4, 'latin1');
    const slot = 32 + at * 16;
    table.writeUInt32LE(at + 1, slot + 4);
    table.writeUInt32LE(block, slot + 8);
    table.writeUInt32LE(blocks, slot + 12);
    parts.push(part);
    block += blocks;
  }
  return Buffer.concat(parts);
}

/** @see https://www.rfc-editor.org/rfc/rfc1950#section-8.2 */
function adler32(bytes: Uint8Array): number {
  let [low, high] = [1, 0];
  for (const byte of bytes) {
    low = (low + byte) % 65521;
    high = (high + low) % 65521;
  }
  return high * 65536 + low;
}
