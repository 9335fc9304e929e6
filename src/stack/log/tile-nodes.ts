// SPDX-License-Identifier: Apache-2.0
import { nodeHash, TILE_WIDTH } from '../../trust/index.ts';

const HASH_BYTES = 32;
const SUBLEVELS = 8;
/** 256 + 128 + … + 2 */
const SLOTS = 510;

/** A tile with the nodes above its hashes, so that a proof needs no hashing of them: 16 KB. */
export class TileNodes {
  readonly level: number;
  readonly index: number;
  #width = 0;
  readonly #nodes: Buffer = Buffer.alloc(SLOTS * HASH_BYTES);

  constructor(level: number, index: number) {
    this.level = level;
    this.index = index;
  }

  /** Makes one of its hashes, and the nodes above them. */
  static of(level: number, index: number, hashes: Uint8Array): TileNodes {
    const tile = new TileNodes(level, index);
    tile.#width = hashes.length / HASH_BYTES;
    tile.#nodes.set(hashes);
    for (let sublevel = 1; sublevel < SUBLEVELS; sublevel++) {
      for (let at = 0; at < tile.#width >> sublevel; at++)
        tile.set(sublevel, at, nodeHash(tile.#at(sublevel - 1, 2 * at), tile.#at(sublevel - 1, 2 * at + 1)));
    }
    return tile;
  }

  /** how many hashes it has */
  get width(): number {
    return this.#width;
  }

  /** The hash of node `at` of a level within the tile, 0 to 7; `undefined` if the tile does not have it yet. */
  get(sublevel: number, at: number): Uint8Array | undefined {
    return (at + 1) << sublevel <= this.#width ? this.#at(sublevel, at) : undefined;
  }

  /** Sets a node. Its hashes are set in their order, each before the nodes above it. */
  set(sublevel: number, at: number, hash: Uint8Array): void {
    this.#nodes.set(hash, slot(sublevel, at));
    if (sublevel === 0) this.#width = Math.max(this.#width, at + 1);
  }

  /** The first `width` hashes, as a tile is served. A copy. */
  hashes(width: number = this.#width): Uint8Array {
    return new Uint8Array(this.#nodes.subarray(0, width * HASH_BYTES));
  }

  /** The node above all, of a full tile. */
  root(): Uint8Array {
    if (this.#width !== TILE_WIDTH) throw new Error('internal error: a tile that is not full has no root');
    return nodeHash(this.#at(SUBLEVELS - 1, 0), this.#at(SUBLEVELS - 1, 1));
  }

  #at(sublevel: number, at: number): Uint8Array {
    const begin = slot(sublevel, at);
    return this.#nodes.subarray(begin, begin + HASH_BYTES);
  }
}

function slot(sublevel: number, at: number): number {
  return (2 * TILE_WIDTH - ((2 * TILE_WIDTH) >> sublevel) + at) * HASH_BYTES;
}
