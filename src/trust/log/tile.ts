// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import type { TreeNode } from './merkle-proof.ts';
import { HASH_BYTES, isCount, nodeHash } from './merkle.ts';

// How a log lays out its hashes and entries for reading.
// @see https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md

/** hashes, or entries, of a full tile */
export const TILE_WIDTH = 256;
const TILE_LEVELS = 8;

/** A run of stored hashes: `width` nodes of the tree's level `8 * level`, from `256 * index` on. */
export interface Tile {
  readonly level: number;
  readonly index: number;
  /** 1 to 256; less than 256 only at the right edge of a tree */
  readonly width: number;
}

/** Where a node's hash is to be had: the root of the `count` hashes of a tile from `first` on. */
export interface TilePlace {
  readonly tile: Tile;
  readonly first: number;
  readonly count: number;
}

/** The tile that holds a node, in the tree with `size` leaves. @throws TrustError `tree-range` if that tree does not have it */
export function tileOf({ level, index }: TreeNode, size: number): TilePlace {
  const tileLevel = Math.floor(level / TILE_LEVELS);
  const count = 2 ** (level % TILE_LEVELS);
  const start = index * count;
  const tileIndex = Math.floor(start / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, widthOf(tileLevel, size) - tileIndex * TILE_WIDTH);
  const first = start % TILE_WIDTH;
  if (!isCount(start) || first + count > width)
    throw new TrustError('tree-range', `node ${index} of level ${level} is not full in a tree of ${size} leaves`);
  return { tile: { level: tileLevel, index: tileIndex, width }, first, count };
}

/** A node's hash out of its tile. @throws TrustError `tree-range` if the tile has another length than its width says */
export function hashInTile(octets: Uint8Array, { tile, first, count }: TilePlace): Uint8Array {
  // A full tile may stand for a partial one, which a log need not keep.
  if (octets.length !== tile.width * HASH_BYTES && octets.length !== TILE_WIDTH * HASH_BYTES)
    throw new TrustError('tree-range', `a tile of ${octets.length} octets, expected ${tile.width * HASH_BYTES}`);
  return rootOf(octets.subarray(first * HASH_BYTES, (first + count) * HASH_BYTES));
}

/** The tiles that a log must write when it grows from `before` leaves to `after`, from the leaves upward. @throws TrustError `tree-range` */
export function tilesToWrite(before: number, after: number): readonly Tile[] {
  if (!isCount(before) || !isCount(after) || before > after)
    throw new TrustError('tree-range', `a tree of ${after} leaves does not follow one of ${before}`);
  const tiles: Tile[] = [];
  for (let level = 0; ; level++) {
    const [had, has] = [widthOf(level, before), widthOf(level, after)];
    if (has === 0) return tiles;
    if (had === has) continue;
    for (let index = Math.floor(had / TILE_WIDTH); index * TILE_WIDTH < has; index++)
      tiles.push({ level, index, width: Math.min(TILE_WIDTH, has - index * TILE_WIDTH) });
  }
}

/** For example `tile/0/x001/x234/067.p/8`. */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${numberPath(index)}${partialPath(width)}`;
}

/** The path of the entries whose hashes are in a tile of level 0. */
export function entriesPath({ index, width }: Pick<Tile, 'index' | 'width'>): string {
  return `tile/entries/${numberPath(index)}${partialPath(width)}`;
}

const PATH = /^tile\/(entries|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Reads a path back; `undefined` if it is none, or not in its one spelling. */
export function parseTilePath(path: string): (Tile & { readonly kind: 'hashes' | 'entries' }) | undefined {
  const [, level, number, partial] = PATH.exec(path) ?? [];
  if (level === undefined || number === undefined) return undefined;
  const kind = level === 'entries' ? 'entries' : 'hashes';
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  const tile = { level: kind === 'entries' ? 0 : Number(level), index: Number(number.replace(/[x/]/g, '')), width };
  const same = path === (kind === 'entries' ? entriesPath(tile) : tilePath(tile));
  return same && tile.level < 64 && width <= TILE_WIDTH && isCount(tile.index) ? { kind, ...tile } : undefined;
}

function rootOf(hashes: Uint8Array): Uint8Array {
  if (hashes.length === HASH_BYTES) return hashes;
  const middle = hashes.length / 2;
  return nodeHash(rootOf(hashes.subarray(0, middle)), rootOf(hashes.subarray(middle)));
}

/** How many full nodes a tree has on a level of tiles. */
function widthOf(level: number, size: number): number {
  return Math.floor(size / TILE_WIDTH ** level);
}

function numberPath(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/[0-9]{3}/g) ?? [];
  return groups.map((group, at) => (at === groups.length - 1 ? group : `x${group}`)).join('/');
}

function partialPath(width: number): string {
  return width === TILE_WIDTH ? '' : `.p/${width}`;
}
