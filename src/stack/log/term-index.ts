// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { SqlReader } from '../../store/index.ts';
import type { Search } from './append-log.ts';
import { LogError } from './log-error.ts';
import type { LogTables } from './log-tables.ts';
import type { ReadTurns } from './read-turns.ts';

/** entries of a segment; a power of two */
export const SEGMENT = 8192;
/** A term is known by the first 40 bits of its SHA-256: with the place in its segment that is a number below 2^53. */
const KEY_BYTES = 5;
const BUCKETS = 64;
const BUCKET_WIDTH = (2 ** (8 * KEY_BYTES) * SEGMENT) / BUCKETS;
const HIT_BYTES = 8;
/** Segments that are read at once; between two such pieces others have their turn. */
const PIECE = 8;
/** Entries whose terms are read at once. */
const ROWS = 1024;

/** Hits of a segment whose keys begin with the same 6 bits: numbers in ascending order, each in 8 bytes. */
export interface TermBlock {
  readonly bucket: number;
  readonly segment: number;
  readonly hits: Uint8Array;
}

/** What the index needs of an entry. */
export interface IndexedEntry {
  readonly kept: { readonly index: number };
  readonly termKeys: readonly number[];
}

/** What a term is known by in the index. Two terms can have the same: the entry itself decides. */
export function termKey(term: string): number {
  return Number.parseInt(hash('sha256', term, 'hex').slice(0, 2 * KEY_BYTES), 16);
}

/**
 * Which entries have a term.
 *
 * An index that is sorted by terms would write a page for each term of each entry, and more slowly the larger it is. So the terms stay with
 * their entries, those of the last entries in memory as well; whenever 8,192 are full, their terms are sorted and kept, in the
 * transaction that fills them. A search looks into each segment, some microseconds each.
 */
export class TermIndex {
  readonly #reader: SqlReader;
  readonly #tables: LogTables;
  /** the first entry that is in no full segment */
  #first: number;
  /** hits from there on, in the order of their places */
  #hits: number[];
  #size: number;

  private constructor(reader: SqlReader, tables: LogTables, size: number, hits: number[]) {
    this.#reader = reader;
    this.#tables = tables;
    this.#size = size;
    this.#first = size - (size % SEGMENT);
    this.#hits = hits;
  }

  /** Reads the terms of the last entries. @throws LogError `log-inconsistent` */
  static async load(reader: SqlReader, tables: LogTables, size: number): Promise<TermIndex> {
    const hits: number[] = [];
    for (let from = size - (size % SEGMENT); from < size; from += ROWS) {
      const rows = await reader.all<{ place: number; terms: string }>(
        tables.termsOfEntries,
        from,
        Math.min(size, from + ROWS),
      );
      for (const { place, terms } of rows)
        for (const term of decodeTerms(terms, place)) hits.push(termKey(term) * SEGMENT + (place % SEGMENT));
    }
    return new TermIndex(reader, tables, size, hits);
  }

  /** What is to be kept of the segment that becomes full by these entries, at most one. They are not added. */
  filledBy(entries: readonly IndexedEntry[]): readonly TermBlock[] {
    const end = this.#first + SEGMENT;
    if (this.#size + entries.length < end) return [];
    const last = hitsOf(entries.filter(({ kept }) => kept.index < end));
    return encodeSegment(this.#first / SEGMENT, [...this.#hits, ...last]);
  }

  /** Adds entries, in the order of their places. */
  add(entries: readonly IndexedEntry[]): void {
    this.#size += entries.length;
    const first = this.#size - (this.#size % SEGMENT);
    if (first === this.#first) {
      for (const hit of hitsOf(entries)) this.#hits.push(hit);
      return;
    }
    // Whoever searches goes on with the hits that there were.
    this.#hits = hitsOf(entries.filter(({ kept }) => kept.index >= first));
    this.#first = first;
  }

  /** The places that have all or any of the terms, oldest first; only places before `size`. @param turns shared by all who search */
  async search(
    { terms, operator, limit, after = -1 }: Search,
    size: number,
    turns: ReadTurns,
  ): Promise<readonly number[]> {
    const wanted = [...new Set(terms)];
    const keys = wanted.map(termKey);
    const [first, hits] = [this.#first, this.#hits];
    const found: number[] = [];
    const take = async (lists: readonly (readonly number[])[]): Promise<boolean> => {
      const places = operator === 'and' ? inAll(lists) : inAny(lists);
      for (const place of places) {
        if (place <= after || place >= size) continue;
        await turns.next();
        if (!(await this.#matches(place, wanted, operator))) continue;
        found.push(place);
        if (found.length === limit) return true;
      }
      return false;
    };
    const segments = first / SEGMENT;
    for (let begin = Math.floor((after + 1) / SEGMENT); begin < segments; begin += PIECE) {
      const lists: (readonly number[])[] = [];
      for (const key of keys) lists.push(await this.#placesIn(key, begin, Math.min(segments, begin + PIECE)));
      if (await take(lists)) return found;
      await turns.pass();
    }
    const recent = keys.map((key) => {
      const [low, high] = [key * SEGMENT, (key + 1) * SEGMENT];
      return hits.filter((hit) => hit >= low && hit < high).map((hit) => first + (hit - low));
    });
    await take(recent);
    return found;
  }

  async #placesIn(key: number, begin: number, end: number): Promise<readonly number[]> {
    const bucket = Math.floor((key * SEGMENT) / BUCKET_WIDTH);
    const rows = await this.#reader.all<{ segment: number; hits: Uint8Array }>(this.#tables.terms, bucket, begin, end);
    return rows.flatMap(({ segment, hits }) => placesOf(key, hits).map((place) => segment * SEGMENT + place));
  }

  async #matches(place: number, wanted: readonly string[], operator: 'and' | 'or'): Promise<boolean> {
    const row = await this.#reader.get<{ terms: string }>(this.#tables.termsOfEntries, place, place + 1);
    if (row === undefined) throw new LogError('log-inconsistent', `entry ${place} is missing: run 'bulla log fsck'`);
    const has = new Set(decodeTerms(row.terms, place));
    return operator === 'and' ? wanted.every((term) => has.has(term)) : wanted.some((term) => has.has(term));
  }
}

/** The terms of an entry as its row has them. @throws LogError `log-inconsistent` */
export function decodeTerms(text: string, place: number): readonly string[] {
  try {
    const terms: unknown = JSON.parse(text);
    if (Array.isArray(terms) && terms.every((term) => typeof term === 'string')) return terms;
  } catch {
    // said below
  }
  throw new LogError('log-inconsistent', `the search terms of entry ${place} are no list of texts`);
}

/** Sorts the hits of a segment into blocks, a bucket each; empty ones are left out. */
export function encodeSegment(segment: number, hits: readonly number[]): readonly TermBlock[] {
  const sorted = Float64Array.from(hits).toSorted();
  const blocks: TermBlock[] = [];
  for (let begin = 0; begin < sorted.length;) {
    const bucket = Math.floor((sorted[begin] ?? 0) / BUCKET_WIDTH);
    let end = begin;
    while (end < sorted.length && (sorted[end] ?? 0) < (bucket + 1) * BUCKET_WIDTH) end++;
    const block = Buffer.alloc((end - begin) * HIT_BYTES);
    for (let at = begin; at < end; at++) writeHit(block, (at - begin) * HIT_BYTES, sorted[at] ?? 0);
    blocks.push({ bucket, segment, hits: block });
    begin = end;
  }
  return blocks;
}

function hitsOf(entries: readonly IndexedEntry[]): number[] {
  return entries.flatMap(({ kept, termKeys }) => termKeys.map((key) => key * SEGMENT + (kept.index % SEGMENT)));
}

/** The places of a key within a segment, in ascending order. */
function placesOf(key: number, octets: Uint8Array): readonly number[] {
  const block = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const [low, high] = [key * SEGMENT, (key + 1) * SEGMENT];
  let [begin, end] = [0, block.length / HIT_BYTES];
  while (begin < end) {
    const middle = Math.floor((begin + end) / 2);
    if (readHit(block, middle * HIT_BYTES) < low) begin = middle + 1;
    else end = middle;
  }
  const places: number[] = [];
  for (let at = begin * HIT_BYTES; at < block.length; at += HIT_BYTES) {
    const hit = readHit(block, at);
    if (hit >= high) break;
    places.push(hit - low);
  }
  return places;
}

function writeHit(block: Buffer, at: number, hit: number): void {
  block.writeUInt32BE(Math.floor(hit / 2 ** 32), at);
  block.writeUInt32BE(hit % 2 ** 32, at + 4);
}

function readHit(block: Buffer, at: number): number {
  return block.readUInt32BE(at) * 2 ** 32 + block.readUInt32BE(at + 4);
}

function inAny(lists: readonly (readonly number[])[]): readonly number[] {
  return [...new Set(lists.flat())].toSorted((one, other) => one - other);
}

function inAll([first = [], ...others]: readonly (readonly number[])[]): readonly number[] {
  const sets = others.map((places) => new Set(places));
  return first.filter((place) => sets.every((set) => set.has(place)));
}
