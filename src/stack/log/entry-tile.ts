// SPDX-License-Identifier: Apache-2.0

const LENGTH_BYTES = 2;

/** Entries as a tile has them: each after its length in 16 bits. @see https://c2sp.org/tlog-tiles#log-entries */
export function encodeEntryTile(leaves: readonly Uint8Array[]): Uint8Array {
  const tile = Buffer.alloc(leaves.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0));
  let at = 0;
  for (const leaf of leaves) {
    at = tile.writeUInt16BE(leaf.length, at);
    tile.set(leaf, at);
    at += leaf.length;
  }
  return tile;
}
