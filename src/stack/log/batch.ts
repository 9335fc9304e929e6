// SPDX-License-Identifier: Apache-2.0
import type { SqlReader, SqlTransaction } from '../../store/index.ts';
import { leafHash, type NodeHash, type RightEdge } from '../../trust/index.ts';
import type { KeptEntry, NewEntry, PublishedTree } from './append-log.ts';
import type { FullTile, HashTiles } from './hash-tiles.ts';
import { LogError } from './log-error.ts';
import type { LogTables } from './log-tables.ts';
import { termKey, type TermBlock, type TermIndex } from './term-index.ts';

/** bits of a key: enough that few keys have two places, and a number that SQL keeps in 6 bytes */
const KEY_BYTES = 6;

/** An entry that waits, and what was computed of it when it came. */
export interface Candidate {
  readonly leaf: Uint8Array;
  readonly extra?: Uint8Array;
  readonly identity: Uint8Array;
  readonly terms: readonly string[];
  /** of each term, as the index has it */
  readonly termKeys: readonly number[];
  readonly leafHash: Uint8Array;
}

/** An entry that gets a place. */
export interface PlacedEntry extends Candidate {
  readonly kept: KeptEntry;
}

/** Where a candidate is, or will be once the batch is kept. */
export interface Answer {
  readonly index: number;
  readonly existed: boolean;
}

/** What a batch does to the log, in memory. */
export interface Batch {
  /** one for each candidate, in their order */
  readonly answers: readonly Answer[];
  /** the new ones, in the order of their places */
  readonly placed: readonly PlacedEntry[];
  readonly nodes: readonly NodeHash[];
  readonly full: readonly FullTile[];
  /** search terms of the segment that becomes full by it */
  readonly segment: readonly TermBlock[];
  /** the right edge after it */
  readonly edge: RightEdge;
}

/** How the head changes with a batch. */
export interface HeadSwap {
  readonly before: PublishedTree;
  readonly after: PublishedTree;
  /** whether the new tree needs nothing more to be shown */
  readonly published: boolean;
}

/** Takes what is needed of an entry, so that its sender can do with its buffers what it likes. */
export function candidateOf({ leaf, extra, identity, terms }: NewEntry): Candidate {
  const own = new Uint8Array(leaf);
  const distinct = [...new Set(terms)];
  return {
    leaf: own,
    ...(extra === undefined ? {} : { extra: new Uint8Array(extra) }),
    identity: new Uint8Array(identity),
    terms: distinct,
    termKeys: distinct.map(termKey),
    leafHash: leafHash(own),
  };
}

/** What an identity or leaf hash is looked up by. */
export function hashKey(hash: Uint8Array): number {
  return Buffer.from(hash.buffer, hash.byteOffset, KEY_BYTES).readUIntBE(0, KEY_BYTES);
}

/** The place of the entry with this identity. */
async function placeOfIdentity(
  reader: SqlReader,
  tables: LogTables,
  identity: Uint8Array,
): Promise<number | undefined> {
  const rows = await reader.all<{ place: number; identity: Uint8Array }>(tables.placesOfKey, hashKey(identity));
  return rows.find((row) => Buffer.compare(row.identity, identity) === 0)?.place;
}

/** Gives each candidate its place: the one that it has, that of the same entry in this batch, or the next. */
export async function planBatch(
  candidates: readonly Candidate[],
  log: {
    readonly edge: RightEdge;
    readonly tiles: HashTiles;
    readonly terms: TermIndex;
    readonly reader: SqlReader;
    readonly tables: LogTables;
  },
  time: number,
): Promise<Batch> {
  const edge = log.edge.copy();
  const placed: PlacedEntry[] = [];
  const nodes: NodeHash[] = [];
  const inBatch = new Map<string, number>();
  const answers: Answer[] = [];
  for (const candidate of candidates) {
    const key = Buffer.from(candidate.identity).toString('latin1');
    const before = inBatch.get(key) ?? (await placeOfIdentity(log.reader, log.tables, candidate.identity));
    if (before !== undefined) {
      answers.push({ index: before, existed: true });
      continue;
    }
    const index = edge.size;
    const { leaf, extra } = candidate;
    placed.push({ ...candidate, kept: { index, leaf, ...(extra === undefined ? {} : { extra }), time } });
    nodes.push(...edge.append(candidate.leafHash));
    inBatch.set(key, index);
    answers.push({ index, existed: false });
  }
  return { answers, placed, nodes, full: log.tiles.filledBy(nodes), segment: log.terms.filledBy(placed), edge };
}

/**
 * Writes a batch: all of it, or nothing where the head is not the one that it was planned after.
 *
 * @throws LogError `log-superseded`; StoreError
 */
export async function writeBatch(
  transaction: SqlTransaction,
  tables: LogTables,
  { placed, full, segment }: Batch,
  { before, after, published }: HeadSwap,
): Promise<void> {
  const { changes } = await transaction.run(
    published ? tables.swapHeadAndPublished : tables.swapHead,
    after.size,
    after.rootHash,
    after.checkpoint,
    before.size,
    before.rootHash,
  );
  if (changes !== 1)
    throw new LogError('log-superseded', `another process has added to the log since it had ${before.size} entries`);
  for (const { kept, identity, terms, leafHash: leaf } of placed) {
    const { index, time } = kept;
    const row = [index, time, identity, JSON.stringify(terms), kept.leaf, kept.extra ?? null];
    await transaction.run(tables.addEntry, ...row);
    const [key, other] = [hashKey(identity), hashKey(leaf)];
    await transaction.run(tables.addKey, key, index);
    if (other !== key) await transaction.run(tables.addKey, other, index);
  }
  for (const { bucket, segment: number, hits } of segment) await transaction.run(tables.addTerms, bucket, number, hits);
  for (const { level, index, hashes } of full) await transaction.run(tables.addTile, level, index, hashes);
}
