// SPDX-License-Identifier: Apache-2.0
import type { SqlReader } from '../../store/index.ts';
import {
  foldProof,
  planConsistency,
  planInclusion,
  TILE_WIDTH,
  type NodeHash,
  type ProofPlan,
  type TreeNode,
} from '../../trust/index.ts';
import { LogError } from './log-error.ts';
import type { LogTables } from './log-tables.ts';
import { TileNodes } from './tile-nodes.ts';

/** Full tiles that are held in memory, 16 KB each. */
const HELD = 256;
const LEVELS_IN_TILE = 8;
const HASH_BYTES = 32;

/** A tile that has become full, as it is kept. */
export interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

/**
 * The hashes of a tree: those of its right edge in memory, full tiles in the database, the last used of them in memory too.
 *
 * A hash that is there never changes, so what is asked of an older tree can be answered while a newer one is being kept.
 */
export class HashTiles {
  readonly #reader: SqlReader;
  readonly #tables: LogTables;
  /** the last tile of each level */
  readonly #edge: TileNodes[];
  /** in the order of their last use */
  readonly #held = new Map<string, TileNodes>();

  constructor(reader: SqlReader, tables: LogTables, edge: readonly TileNodes[]) {
    this.#reader = reader;
    this.#tables = tables;
    this.#edge = [...edge];
  }

  /** The tiles that become full by these nodes. They are not added. */
  filledBy(nodes: readonly NodeHash[]): readonly FullTile[] {
    const full: FullTile[] = [];
    for (let level = 0; ; level++) {
      const added = nodes.filter((node) => node.level === level * LEVELS_IN_TILE).map(({ hash }) => hash);
      if (added.length === 0) return full;
      const last = this.#edge[level];
      const open = last !== undefined && last.width < TILE_WIDTH ? last : undefined;
      let index = open?.index ?? (last === undefined ? 0 : last.index + 1);
      const hashes = Buffer.concat(open === undefined ? added : [open.hashes(), ...added]);
      for (let at = 0; at + TILE_WIDTH * HASH_BYTES <= hashes.length; at += TILE_WIDTH * HASH_BYTES)
        full.push({ level, index: index++, hashes: hashes.subarray(at, at + TILE_WIDTH * HASH_BYTES) });
    }
  }

  /** Adds nodes, in the order in which they became full. */
  add(nodes: readonly NodeHash[]): void {
    for (const { level, index, hash } of nodes) {
      const tileLevel = Math.floor(level / LEVELS_IN_TILE);
      const sublevel = level % LEVELS_IN_TILE;
      const perTile = TILE_WIDTH >> sublevel;
      const tileIndex = Math.floor(index / perTile);
      let tile = this.#edge[tileLevel];
      if (tile?.index !== tileIndex) {
        if (tile !== undefined) this.#hold(tile);
        tile = new TileNodes(tileLevel, tileIndex);
        this.#edge[tileLevel] = tile;
      }
      tile.set(sublevel, index % perTile, hash);
    }
  }

  /** The proof that a leaf is in the tree of that size. */
  async inclusion(index: number, size: number): Promise<readonly Uint8Array[]> {
    return this.#prove(planInclusion(index, size));
  }

  /** The proof that the second tree follows the first. */
  async consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    return this.#prove(planConsistency(first, second));
  }

  /** The hash of a full subtree. @throws LogError `log-inconsistent` if its tile is missing */
  async node(node: TreeNode): Promise<Uint8Array> {
    const held = this.#peek(node);
    if (held !== undefined) return held;
    const [tile, sublevel, at] = await this.#load(node);
    const hash = tile.get(sublevel, at);
    if (hash === undefined)
      throw new LogError('log-inconsistent', `node ${node.index} of level ${node.level} is missing`);
    return hash;
  }

  /** The first hashes of a tile; the tree has them. @throws LogError `log-inconsistent` if the tile is missing */
  async tile(level: number, index: number, width: number): Promise<Uint8Array> {
    const memory = this.#find(level, index);
    if (memory !== undefined && memory.width >= width) return memory.hashes(width);
    return new Uint8Array(await this.#read(level, index)).slice(0, width * HASH_BYTES);
  }

  async #prove(plan: ProofPlan): Promise<readonly Uint8Array[]> {
    const held = plan.nodes.map((node) => this.#peek(node));
    const hashes: Uint8Array[] = [];
    for (const [at, node] of plan.nodes.entries()) hashes.push(held[at] ?? (await this.node(node)));
    // What is in memory is a view of a tile there: whoever gets a proof may keep it, and change it.
    return foldProof(plan, hashes).map((hash) => new Uint8Array(hash));
  }

  #peek(node: TreeNode): Uint8Array | undefined {
    const [level, index, sublevel, at] = placeOf(node);
    return this.#find(level, index)?.get(sublevel, at);
  }

  #find(level: number, index: number): TileNodes | undefined {
    const edge = this.#edge[level];
    if (edge?.index === index) return edge;
    const key = `${level}/${index}`;
    const held = this.#held.get(key);
    if (held !== undefined) {
      this.#held.delete(key);
      this.#held.set(key, held);
    }
    return held;
  }

  async #load(node: TreeNode): Promise<readonly [tile: TileNodes, sublevel: number, at: number]> {
    const [level, index, sublevel, at] = placeOf(node);
    const tile = TileNodes.of(level, index, await this.#read(level, index));
    this.#hold(tile);
    return [tile, sublevel, at];
  }

  async #read(level: number, index: number): Promise<Uint8Array> {
    const row = await this.#reader.get<{ hashes: Uint8Array }>(this.#tables.tile, level, index);
    if (row === undefined) throw new LogError('log-inconsistent', `tile ${index} of level ${level} is missing`);
    return row.hashes;
  }

  #hold(tile: TileNodes): void {
    this.#held.set(`${tile.level}/${tile.index}`, tile);
    if (this.#held.size <= HELD) return;
    const [oldest] = this.#held.keys();
    if (oldest !== undefined) this.#held.delete(oldest);
  }
}

function placeOf({
  level,
  index,
}: TreeNode): readonly [tileLevel: number, tileIndex: number, sublevel: number, at: number] {
  const sublevel = level % LEVELS_IN_TILE;
  const perTile = TILE_WIDTH >> sublevel;
  return [Math.floor(level / LEVELS_IN_TILE), Math.floor(index / perTile), sublevel, index % perTile];
}
