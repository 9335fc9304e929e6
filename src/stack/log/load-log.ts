// SPDX-License-Identifier: Apache-2.0
import type { SqlReader } from '../../store/index.ts';
import {
  decodeCheckpoint,
  decodeNote,
  leafHash,
  planRoot,
  RightEdge,
  TILE_WIDTH,
  type Checkpoint,
} from '../../trust/index.ts';
import type { PublishedTree } from './append-log.ts';
import { HashTiles } from './hash-tiles.ts';
import { LogError } from './log-error.ts';
import type { EntryRow, HeadRow, LogTables } from './log-tables.ts';
import { TermIndex } from './term-index.ts';
import { TileNodes } from './tile-nodes.ts';

/** A log as it was found. */
export interface LoadedLog {
  /** the newest tree that was signed */
  readonly committed: PublishedTree;
  /** the newest that was shown; it is the same, or before it */
  readonly published: PublishedTree;
  readonly edge: RightEdge;
  readonly tiles: HashTiles;
  readonly terms: TermIndex;
  /** of the last entry, in milliseconds since 1970; 0 where there is none */
  readonly lastTime: number;
}

/**
 * Takes up a log where it stood, and makes sure that it stands: the right edge is derived anew from the last entries and the tiles, and
 * must lead to the root that was signed. `undefined` if there is none yet.
 *
 * @param origin what the checkpoint must begin with
 * @throws LogError `log-inconsistent`, `checkpoint-foreign`; StoreError
 */
export async function loadLog(reader: SqlReader, tables: LogTables, origin: string): Promise<LoadedLog | undefined> {
  const head = await reader.get<HeadRow>(tables.head);
  const last = await reader.get<{ place: number; time: number }>(tables.lastEntry);
  if (head === undefined) {
    if (last !== undefined) throw inconsistent(`${last.place + 1} entries, and no tree over them`);
    return undefined;
  }
  const size = head.size;
  if ((last?.place ?? -1) !== size - 1)
    throw inconsistent(`a last entry ${last?.place ?? -1}, expected ${size - 1} as its tree has ${size}`);
  const committed = { size, rootHash: head.root, checkpoint: head.checkpoint };
  const published = {
    size: head.published_size,
    rootHash: head.published_root,
    checkpoint: head.published_checkpoint,
  };
  requireCheckpoint(committed, origin);
  requireCheckpoint(published, origin);
  const tiles = new HashTiles(reader, tables, await loadEdge(reader, tables, size));
  const edge = await edgeOf(tiles, size);
  requireRoot(edge.root(), committed);
  requireRoot((await edgeOf(tiles, published.size)).root(), published);
  const terms = await TermIndex.load(reader, tables, size);
  return { committed, published, edge, tiles, terms, lastTime: last?.time ?? 0 };
}

/**
 * Reads what a log says of itself.
 *
 * @throws LogError `log-inconsistent` for what is no checkpoint
 */
export function readCheckpoint(document: string): Checkpoint {
  try {
    return decodeCheckpoint(decodeNote(document, 'the checkpoint').text, 'the checkpoint');
  } catch (cause) {
    throw new LogError('log-inconsistent', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** The tiles at the right edge, derived from what lies below each: the last entries, and full tiles. */
async function loadEdge(reader: SqlReader, tables: LogTables, size: number): Promise<readonly TileNodes[]> {
  const edge: TileNodes[] = [];
  let width = size;
  for (let level = 0; width > 0; level++, width = Math.floor(width / TILE_WIDTH)) {
    const index = Math.floor(width / TILE_WIDTH);
    const begin = index * TILE_WIDTH;
    const hashes =
      level === 0
        ? await hashesOf(reader, tables, begin, width)
        : await rootsOf(reader, tables, level - 1, begin, width);
    edge.push(TileNodes.of(level, index, Buffer.concat(hashes)));
  }
  return edge;
}

async function hashesOf(
  reader: SqlReader,
  tables: LogTables,
  begin: number,
  end: number,
): Promise<readonly Uint8Array[]> {
  const rows = await reader.all<EntryRow>(tables.entries, begin, end);
  if (rows.length !== end - begin || rows.some(({ place }, at) => place !== begin + at))
    throw inconsistent(`${rows.length} entries from ${begin} on, expected ${end - begin}`);
  return rows.map(({ leaf }) => leafHash(leaf));
}

async function rootsOf(
  reader: SqlReader,
  tables: LogTables,
  level: number,
  begin: number,
  end: number,
): Promise<readonly Uint8Array[]> {
  const rows = await reader.all<{ number: number; hashes: Uint8Array }>(tables.tiles, level, begin, end);
  if (rows.length !== end - begin || rows.some(({ number }, at) => number !== begin + at))
    throw inconsistent(`${rows.length} full tiles of level ${level} from ${begin} on, expected ${end - begin}`);
  return rows.map(({ number, hashes }) => TileNodes.of(level, number, hashes).root());
}

/** The right edge of this tree, or of an earlier one. */
export async function edgeOf(tiles: HashTiles, size: number): Promise<RightEdge> {
  if (size === 0) return new RightEdge();
  const hashes: Uint8Array[] = [];
  for (const node of planRoot(size).nodes) hashes.push(await tiles.node(node));
  return RightEdge.restore(size, hashes);
}

function requireRoot(found: Uint8Array, { size, rootHash }: PublishedTree): void {
  if (Buffer.compare(found, rootHash) !== 0)
    throw inconsistent(
      `the root ${hex(found)} over its ${size} entries, expected ${hex(rootHash)} as its checkpoint was signed`,
    );
}

/**
 * That a checkpoint is of this tree and origin.
 *
 * @throws LogError `log-inconsistent`, `checkpoint-foreign`
 */
export function requireCheckpoint({ size, rootHash, checkpoint }: PublishedTree, origin: string): void {
  const signed = readCheckpoint(checkpoint);
  if (signed.size !== size || Buffer.compare(signed.root, rootHash) !== 0)
    throw inconsistent(
      `a checkpoint of ${signed.size} entries and the root ${hex(signed.root)}, expected ${size} and ${hex(rootHash)}`,
    );
  if (signed.origin !== origin)
    throw new LogError('checkpoint-foreign', `the log is that of '${signed.origin}', expected '${origin}'`);
}

function inconsistent(found: string): LogError {
  return new LogError('log-inconsistent', `the log has ${found}: run 'bulla log fsck', or restore a backup`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
