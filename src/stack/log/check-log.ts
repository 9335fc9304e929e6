// SPDX-License-Identifier: Apache-2.0
import type { SqlReader } from '../../store/index.ts';
import { leafHash, RightEdge, TILE_WIDTH } from '../../trust/index.ts';
import { hashKey } from './batch.ts';
import { readCheckpoint } from './load-log.ts';
import { logTables, type EntryRow, type HeadRow, type LogTables } from './log-tables.ts';
import { decodeTerms, encodeSegment, SEGMENT, termKey } from './term-index.ts';

/** What can be wrong with a log. */
export type LogFindingCode =
  /** there is no tree, or it is no such log at all */
  | 'head-missing'
  /** the checkpoint is none, of another origin, or of another tree than the one beside it */
  | 'checkpoint-wrong'
  /** the entries do not lead to the root that was signed */
  | 'root-wrong'
  /** the entries do not lead to the root that was shown */
  | 'published-wrong'
  | 'entry-missing'
  /** an entry that is in no tree */
  | 'entry-unexpected'
  /** an entry that is older than the one before it */
  | 'time-backwards'
  /** two entries have one identity */
  | 'entry-repeated'
  /** the entry is not found by its identity or leaf hash */
  | 'key-missing'
  /** an identity or hash leads to an entry that does not have it */
  | 'key-unexpected'
  | 'tile-missing'
  | 'tile-wrong'
  /** a full tile of a tree that there is not */
  | 'tile-unexpected'
  /** the search terms of an entry cannot be read */
  | 'terms-malformed'
  /** entries are found by other terms than theirs, or not by theirs */
  | 'search-wrong';

/** One thing that is wrong. */
export interface LogFinding {
  readonly code: LogFindingCode;
  readonly message: string;
}

/** What a check has found. */
export interface LogCheck {
  /** entries of the newest signed tree when the check began */
  readonly size: number;
  /** the root that its entries lead to, 32 bytes; `undefined` if entries are missing */
  readonly rootHash: Uint8Array | undefined;
  /** the first 1,000 */
  readonly findings: readonly LogFinding[];
  /** how many there are */
  readonly found: number;
}

const MAX_FINDINGS = 1000;
const KEYS = 4096;
const HASH_BYTES = 32;
/** tiles of more levels no tree has */
const LEVELS = 7;

/**
 * Derives the whole log from its entries and compares: root, tiles, places by identity and hash, search terms, checkpoints. Reads piece by
 * piece, so memory does not grow with the log; a log that is in use meanwhile is checked as it was at the beginning.
 *
 * @throws StoreError; LogError `name-malformed`
 */
export async function checkLog(log: {
  readonly database: SqlReader;
  readonly name: string;
  readonly origin: string;
  /** called now and then with the number of entries that were read */
  readonly onProgress?: (entries: number) => void;
}): Promise<LogCheck> {
  const tables = logTables(log.name);
  const findings = new Findings();
  const head = await log.database.get<HeadRow>(tables.head);
  if (head === undefined) {
    findings.add('head-missing', `there is no tree of the log '${log.name}'`);
    return { size: 0, rootHash: undefined, ...findings.result() };
  }
  checkCheckpoint(findings, head.checkpoint, head.size, head.root, log.origin);
  checkCheckpoint(findings, head.published_checkpoint, head.published_size, head.published_root, log.origin);
  const walk = new Walk(log.database, tables, head, findings);
  const complete = await walk.entries(log.onProgress);
  if (complete) await walk.keys();
  await walk.beyond();
  return { size: head.size, rootHash: complete ? walk.edge.root() : undefined, ...findings.result() };
}

class Findings {
  readonly #findings: LogFinding[] = [];
  #found = 0;

  add(code: LogFindingCode, message: string): void {
    this.#found++;
    if (this.#findings.length < MAX_FINDINGS) this.#findings.push({ code, message });
  }

  result(): Pick<LogCheck, 'findings' | 'found'> {
    return { findings: this.#findings, found: this.#found };
  }
}

interface WholeEntryRow extends EntryRow {
  readonly identity: Uint8Array;
  readonly terms: string;
}

/** One walk over the entries, and what follows from those that were passed. */
class Walk {
  readonly edge: RightEdge = new RightEdge();
  readonly #reader: SqlReader;
  readonly #tables: LogTables;
  readonly #head: HeadRow;
  readonly #findings: Findings;
  /** the hashes of the last tile of each level */
  readonly #open: Uint8Array[][] = [];
  #hits: number[] = [];
  #time = 0;
  /** rows that the keys of the entries must have */
  #keys = 0;
  /** the last place that a key leads to */
  #lastKeyed = -1;

  constructor(reader: SqlReader, tables: LogTables, head: HeadRow, findings: Findings) {
    this.#reader = reader;
    this.#tables = tables;
    this.#head = head;
    this.#findings = findings;
  }

  /** @returns whether none is missing */
  async entries(onProgress?: (entries: number) => void): Promise<boolean> {
    const { size } = this.#head;
    this.#checkPublished();
    for (let from = 0; from < size; from += TILE_WIDTH) {
      const end = Math.min(size, from + TILE_WIDTH);
      const rows = await this.#reader.all<WholeEntryRow>(this.#tables.wholeEntries, from, end);
      for (const [at, row] of rows.entries()) {
        if (row.place !== from + at) return this.#missing(from + at);
        await this.#entry(row);
      }
      if (rows.length < end - from) return this.#missing(from + rows.length);
      onProgress?.(end);
      await turn();
    }
    if (Buffer.compare(this.edge.root(), this.#head.root) !== 0)
      this.#findings.add(
        'root-wrong',
        `the root over ${size} entries is ${hex(this.edge.root())}, signed was ${hex(this.#head.root)}`,
      );
    return true;
  }

  /** That there are no keys but those of the entries. */
  async keys(): Promise<void> {
    let [key, place, rows] = [-1, -1, 0];
    for (;;) {
      const piece = await this.#reader.all<{ key: number; place: number }>(this.#tables.keysAfter, key, place, KEYS);
      rows += piece.filter((row) => row.place < this.#head.size).length;
      this.#lastKeyed = piece.reduce((most, row) => Math.max(most, row.place), this.#lastKeyed);
      const last = piece.at(-1);
      if (last === undefined) break;
      [key, place] = [last.key, last.place];
      await turn();
    }
    if (rows > this.#keys)
      this.#findings.add('key-unexpected', `${rows} keys lead to ${this.#head.size} entries, expected ${this.#keys}`);
  }

  /** That nothing lies beyond the tree. A log in use may have grown: what there is now is read before how large it is now. */
  async beyond(): Promise<void> {
    const last = await this.#reader.get<{ place: number }>(this.#tables.lastEntry);
    const tiles: { readonly level: number; readonly number: number }[] = [];
    for (let level = 0; level < LEVELS; level++) {
      const full = Math.floor(this.#head.size / TILE_WIDTH ** (level + 1));
      const row = await this.#reader.get<{ number: number }>(this.#tables.lastTile, level, full);
      if (row !== undefined) tiles.push({ level, number: row.number });
    }
    const terms = await this.#reader.get<{ segment: number | null }>(this.#tables.lastSegment);
    const now = (await this.#reader.get<HeadRow>(this.#tables.head))?.size ?? 0;
    if (last !== undefined && last.place >= now)
      this.#findings.add('entry-unexpected', `the last entry is ${last.place} in a log of ${now} entries`);
    if (this.#lastKeyed >= now)
      this.#findings.add('key-unexpected', `keys lead to entry ${this.#lastKeyed} in a log of ${now} entries`);
    const segment = terms?.segment ?? -1;
    if ((segment + 1) * SEGMENT > now)
      this.#findings.add('search-wrong', `search terms are kept up to segment ${segment} in a log of ${now} entries`);
    for (const { level, number } of tiles) {
      if ((number + 1) * TILE_WIDTH ** (level + 1) > now)
        this.#findings.add(
          'tile-unexpected',
          `tile ${number} of level ${level} is not full in a log of ${now} entries`,
        );
    }
  }

  #missing(place: number): false {
    this.#findings.add('entry-missing', `entry ${place} of ${this.#head.size} is missing; what follows was not read`);
    return false;
  }

  async #entry({ place, time, leaf, identity, terms }: WholeEntryRow): Promise<void> {
    if (time < this.#time)
      this.#findings.add('time-backwards', `entry ${place} is of ${time}, the one before of ${this.#time}`);
    this.#time = Math.max(time, this.#time);
    const hash = leafHash(leaf);
    await this.#checkKeys(place, identity, hash);
    for (const node of this.edge.append(hash)) {
      if (node.level % 8 === 0) await this.#node(node.level / 8, node.hash);
    }
    this.#checkPublished();
    try {
      for (const term of decodeTerms(terms, place)) this.#hits.push(termKey(term) * SEGMENT + (place % SEGMENT));
    } catch (error) {
      this.#findings.add('terms-malformed', error instanceof Error ? error.message : String(error));
    }
    if ((place + 1) % SEGMENT === 0) await this.#segment((place + 1) / SEGMENT - 1);
  }

  async #checkKeys(place: number, identity: Uint8Array, hash: Uint8Array): Promise<void> {
    const [key, other] = [hashKey(identity), hashKey(hash)];
    this.#keys += key === other ? 1 : 2;
    const same = await this.#reader.all<{ place: number; identity: Uint8Array }>(this.#tables.placesOfKey, key);
    if (!same.some((row) => row.place === place))
      this.#findings.add('key-missing', `entry ${place} is not found by its identity ${hex(identity)}`);
    const first = same.find((row) => Buffer.compare(row.identity, identity) === 0);
    if (first !== undefined && first.place !== place)
      this.#findings.add('entry-repeated', `entry ${place} has the identity of entry ${first.place}: ${hex(identity)}`);
    if (other === key) return;
    const byHash = await this.#reader.all<{ place: number }>(this.#tables.placesOfKey, other);
    if (!byHash.some((row) => row.place === place))
      this.#findings.add('key-missing', `entry ${place} is not found by its leaf hash ${hex(hash)}`);
  }

  async #node(level: number, hash: Uint8Array): Promise<void> {
    const open = (this.#open[level] ??= []);
    open.push(hash);
    if (open.length < TILE_WIDTH) return;
    this.#open[level] = [];
    const number = this.edge.size / TILE_WIDTH ** (level + 1) - 1;
    const row = await this.#reader.get<{ hashes: Uint8Array }>(this.#tables.tile, level, number);
    if (row === undefined) {
      this.#findings.add('tile-missing', `tile ${number} of level ${level} is missing`);
      return;
    }
    const expected = Buffer.concat(open, TILE_WIDTH * HASH_BYTES);
    if (expected.compare(row.hashes) !== 0)
      this.#findings.add('tile-wrong', `tile ${number} of level ${level} has other hashes than its entries`);
  }

  async #segment(segment: number): Promise<void> {
    const expected = encodeSegment(segment, this.#hits);
    this.#hits = [];
    const rows = await this.#reader.all<{ bucket: number; hits: Uint8Array }>(this.#tables.termRows, segment);
    const same =
      rows.length === expected.length &&
      rows.every(({ bucket, hits }, at) => {
        const block = expected[at];
        return block?.bucket === bucket && Buffer.compare(block.hits, hits) === 0;
      });
    if (!same) {
      const [from, to] = [segment * SEGMENT, (segment + 1) * SEGMENT - 1];
      this.#findings.add('search-wrong', `entries ${from} to ${to} are not found by just their terms`);
    }
  }

  #checkPublished(): void {
    const { published_size: size, published_root: root } = this.#head;
    if (this.edge.size === size && Buffer.compare(this.edge.root(), root) !== 0)
      this.#findings.add(
        'published-wrong',
        `the root over ${size} entries is ${hex(this.edge.root())}, shown was ${hex(root)}`,
      );
  }
}

function checkCheckpoint(findings: Findings, document: string, size: number, root: Uint8Array, origin: string): void {
  try {
    const signed = readCheckpoint(document);
    if (signed.size === size && Buffer.compare(signed.root, root) === 0 && signed.origin === origin) return;
    findings.add(
      'checkpoint-wrong',
      `a checkpoint of '${signed.origin}' with ${signed.size} entries and the root ${hex(signed.root)} stands beside ${size} and ${hex(root)} of '${origin}'`,
    );
  } catch (error) {
    findings.add('checkpoint-wrong', error instanceof Error ? error.message : String(error));
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Between two pieces others have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
