// SPDX-License-Identifier: Apache-2.0
import type { SqlReader } from '../../store/index.ts';
import { leafHash, TILE_WIDTH } from '../../trust/index.ts';
import type { AppendLog, KeptEntry, NewEntry, ProvenEntry, PublishedTree, Search } from './append-log.ts';
import { hashKey } from './batch.ts';
import { encodeEntryTile } from './entry-tile.ts';
import type { HashTiles } from './hash-tiles.ts';
import { MAX_ANSWERED, requireRange, requireSearch, requireSizes } from './limits.ts';
import { LogError } from './log-error.ts';
import type { EntryRow, LogTables } from './log-tables.ts';
import type { Publication } from './publication.ts';
import { ReadTurns } from './read-turns.ts';
import type { Sequenced, Sequencer } from './sequencer.ts';
import type { TermIndex } from './term-index.ts';

const HASH_BYTES = 32;
/** searches at a time: anybody may ask for one, and each may read thousands of entries */
const MAX_SEARCHES = 64;

/** A log in a database. It answers only from the tree that is shown, though a larger one may be kept already. */
export class StoredLog implements AppendLog {
  readonly #reader: SqlReader;
  readonly #tables: LogTables;
  readonly #tiles: HashTiles;
  readonly #terms: TermIndex;
  readonly #publication: Publication;
  readonly #sequencer: Sequencer;
  readonly #turns = new ReadTurns();
  #searches = 0;

  constructor(
    reader: SqlReader,
    tables: LogTables,
    tiles: HashTiles,
    terms: TermIndex,
    publication: Publication,
    sequencer: Sequencer,
  ) {
    this.#reader = reader;
    this.#tables = tables;
    this.#tiles = tiles;
    this.#terms = terms;
    this.#publication = publication;
    this.#sequencer = sequencer;
  }

  async append(entry: NewEntry): Promise<ProvenEntry & { readonly existed: boolean }> {
    const sequenced = await this.#sequencer.append(entry);
    const proven = await this.#prove(await this.#kept(sequenced));
    return { ...proven, existed: sequenced.existed };
  }

  tree(): PublishedTree {
    return this.#publication.published;
  }

  async entry(index: number): Promise<ProvenEntry | undefined> {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.tree().size) return undefined;
    return this.#prove(await this.#read(index));
  }

  async indexOf(hash: Uint8Array): Promise<number | undefined> {
    const { size } = this.tree();
    if (hash.length !== HASH_BYTES) return undefined;
    // A key is found of an identity, or of another hash that begins alike, too: the leaf decides.
    const rows = await this.#reader.all<{ place: number }>(this.#tables.placesOfKey, hashKey(hash));
    for (const { place } of rows) {
      if (place < size && Buffer.compare(leafHash((await this.#read(place)).leaf), hash) === 0) return place;
    }
    return undefined;
  }

  async entries(from: number, count: number): Promise<readonly KeptEntry[]> {
    requireRange(from, count);
    const end = Math.min(from + Math.min(count, MAX_ANSWERED), this.tree().size);
    await this.#turns.next();
    return from >= end ? [] : (await this.#reader.all<EntryRow>(this.#tables.entries, from, end)).map(keptOf);
  }

  async search(search: Search): Promise<readonly number[]> {
    requireSearch(search);
    if (this.#searches >= MAX_SEARCHES)
      throw new LogError('log-busy', `${this.#searches} searches are under way already; try again`);
    this.#searches += 1;
    try {
      return await this.#terms.search(search, this.tree().size, this.#turns);
    } finally {
      this.#searches -= 1;
    }
  }

  async consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    requireSizes(first, second, this.tree().size);
    return this.#tiles.consistency(first, second);
  }

  async hashTile(level: number, index: number, width: number): Promise<Uint8Array | undefined> {
    return this.#hasTile(level, index, width) ? this.#tiles.tile(level, index, width) : undefined;
  }

  async entryTile(index: number, width: number): Promise<Uint8Array | undefined> {
    if (!this.#hasTile(0, index, width)) return undefined;
    const begin = index * TILE_WIDTH;
    const rows = await this.#reader.all<EntryRow>(this.#tables.entries, begin, begin + width);
    if (rows.length !== width) throw missing(begin + rows.length);
    return encodeEntryTile(rows.map(({ leaf }) => leaf));
  }

  trouble(): string | undefined {
    return this.#sequencer.trouble();
  }

  async close(): Promise<void> {
    await this.#sequencer.close();
  }

  #hasTile(level: number, index: number, width: number): boolean {
    if (![level, index, width].every((number) => Number.isSafeInteger(number) && number >= 0)) return false;
    const has = Math.floor(this.tree().size / TILE_WIDTH ** level);
    return level < 8 && width > 0 && width <= TILE_WIDTH && index * TILE_WIDTH + width <= has;
  }

  async #kept({ index, fresh }: Sequenced): Promise<KeptEntry> {
    if (fresh === undefined) return this.#read(index);
    const { leaf, extra } = fresh.candidate;
    return { index, leaf, ...(extra === undefined ? {} : { extra }), time: fresh.time };
  }

  async #read(index: number): Promise<KeptEntry> {
    const row = await this.#reader.get<EntryRow>(this.#tables.entries, index, index + 1);
    if (row === undefined) throw missing(index);
    return keptOf(row);
  }

  async #prove(kept: KeptEntry): Promise<ProvenEntry> {
    const tree = this.tree();
    return { ...kept, tree, proof: await this.#tiles.inclusion(kept.index, tree.size) };
  }
}

function keptOf({ place, time, leaf, extra }: EntryRow): KeptEntry {
  return { index: place, leaf, ...(extra === null ? {} : { extra }), time };
}

function missing(index: number): LogError {
  return new LogError('log-inconsistent', `entry ${index} is missing: run 'bulla log fsck'`);
}
