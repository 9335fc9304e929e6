// SPDX-License-Identifier: Apache-2.0
import type { Migration } from '../../store/index.ts';
import { LogError } from './log-error.ts';

/** What is kept of a tree: the row that is compared and swapped. */
export interface HeadRow {
  readonly [column: string]: number | string | Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly checkpoint: string;
  readonly published_size: number;
  readonly published_root: Uint8Array;
  readonly published_checkpoint: string;
}

/** An entry as its row has it. */
export interface EntryRow {
  readonly [column: string]: number | string | Uint8Array | null;
  readonly place: number;
  readonly time: number;
  readonly leaf: Uint8Array;
  readonly extra: Uint8Array | null;
}

/** The statements of one log: fixed texts, so that each is prepared once. */
export type LogTables = ReturnType<typeof logTables>;

const NAME = /^[a-z][a-z0-9_]{0,31}$/;

/**
 * The tables of a log, and all that is said to them. Several logs can lie in one database, each under its own name.
 *
 * Rows are inserted and never changed, but for the one row of `head`. Kept are full tiles only: what of a tree is not full yet follows from
 * its last 255 entries, and from tiles one level below.
 *
 * @throws LogError `name-malformed`
 */
export function logTables(name: string): {
  readonly migrations: readonly Migration[];
  readonly head: string;
  readonly createHead: string;
  readonly swapHead: string;
  readonly swapHeadAndPublished: string;
  readonly swapPublished: string;
  readonly lastEntry: string;
  readonly entries: string;
  readonly wholeEntries: string;
  readonly termsOfEntries: string;
  readonly addEntry: string;
  readonly placesOfKey: string;
  readonly addKey: string;
  readonly keysAfter: string;
  readonly terms: string;
  readonly addTerms: string;
  readonly termRows: string;
  readonly lastSegment: string;
  readonly tile: string;
  readonly tiles: string;
  readonly lastTile: string;
  readonly addTile: string;
} {
  if (!NAME.test(name))
    throw new LogError('name-malformed', `a log cannot be named '${name}': expected up to 32 of a-z, 0-9 and _`);
  return {
    migrations: [{ number: 1, name: 'log', sqlite: tablesOf(name) }],
    head: `SELECT size, root, checkpoint, published_size, published_root, published_checkpoint FROM ${name}_head`,
    createHead: `INSERT INTO ${name}_head (size, root, checkpoint, published_size, published_root, published_checkpoint) VALUES (?1, ?2, ?3, ?1, ?2, ?3)`,
    swapHead: `UPDATE ${name}_head SET size = ?, root = ?, checkpoint = ? WHERE size = ? AND root = ?`,
    swapHeadAndPublished: `UPDATE ${name}_head SET size = ?1, root = ?2, checkpoint = ?3, published_size = ?1, published_root = ?2, published_checkpoint = ?3 WHERE size = ?4 AND root = ?5`,
    swapPublished: `UPDATE ${name}_head SET published_size = ?1, published_root = ?2, published_checkpoint = ?3 WHERE published_size <= ?1 AND size >= ?1`,
    lastEntry: `SELECT place, time FROM ${name}_entries ORDER BY place DESC LIMIT 1`,
    entries: `SELECT place, time, leaf, extra FROM ${name}_entries WHERE place >= ? AND place < ? ORDER BY place`,
    wholeEntries: `SELECT place, time, identity, terms, leaf, extra FROM ${name}_entries WHERE place >= ? AND place < ? ORDER BY place`,
    termsOfEntries: `SELECT place, terms FROM ${name}_entries WHERE place >= ? AND place < ? ORDER BY place`,
    addEntry: `INSERT INTO ${name}_entries (place, time, identity, terms, leaf, extra) VALUES (?, ?, ?, ?, ?, ?)`,
    placesOfKey: `SELECT keys.place AS place, identity FROM ${name}_keys AS keys JOIN ${name}_entries AS entries ON entries.place = keys.place WHERE key = ? ORDER BY keys.place`,
    addKey: `INSERT INTO ${name}_keys (key, place) VALUES (?, ?)`,
    keysAfter: `SELECT key, place FROM ${name}_keys WHERE (key, place) > (?, ?) ORDER BY key, place LIMIT ?`,
    terms: `SELECT segment, hits FROM ${name}_terms WHERE bucket = ? AND segment >= ? AND segment < ? ORDER BY segment`,
    addTerms: `INSERT INTO ${name}_terms (bucket, segment, hits) VALUES (?, ?, ?)`,
    termRows: `SELECT bucket, segment, hits FROM ${name}_terms WHERE segment = ? ORDER BY bucket`,
    lastSegment: `SELECT max(segment) AS segment FROM ${name}_terms`,
    tile: `SELECT hashes FROM ${name}_tiles WHERE level = ? AND number = ?`,
    tiles: `SELECT number, hashes FROM ${name}_tiles WHERE level = ? AND number >= ? AND number < ? ORDER BY number`,
    lastTile: `SELECT number FROM ${name}_tiles WHERE level = ? AND number >= ? ORDER BY number DESC LIMIT 1`,
    addTile: `INSERT INTO ${name}_tiles (level, number, hashes) VALUES (?, ?, ?)`,
  };
}

function tablesOf(name: string): string {
  return `
    -- the newest tree that was signed, and the newest that was shown
    CREATE TABLE ${name}_head (
      only_one INTEGER NOT NULL PRIMARY KEY DEFAULT 1 CHECK (only_one = 1),
      size INTEGER NOT NULL,
      root BLOB NOT NULL,
      checkpoint TEXT NOT NULL,
      published_size INTEGER NOT NULL,
      published_root BLOB NOT NULL,
      published_checkpoint TEXT NOT NULL,
      CHECK (published_size <= size)
    ) STRICT;

    -- terms: as a JSON array
    CREATE TABLE ${name}_entries (
      place INTEGER NOT NULL PRIMARY KEY,
      time INTEGER NOT NULL,
      identity BLOB NOT NULL,
      terms TEXT NOT NULL,
      leaf BLOB NOT NULL,
      extra BLOB
    ) STRICT;

    -- where an identity or a leaf hash may be: key is its first 48 bits, the entry itself decides
    CREATE TABLE ${name}_keys (
      key INTEGER NOT NULL,
      place INTEGER NOT NULL,
      PRIMARY KEY (key, place)
    ) STRICT, WITHOUT ROWID;

    -- the search terms of 8,192 entries, as term-index.ts has them
    CREATE TABLE ${name}_terms (
      bucket INTEGER NOT NULL,
      segment INTEGER NOT NULL,
      hits BLOB NOT NULL,
      PRIMARY KEY (bucket, segment)
    ) STRICT;

    -- full tiles
    CREATE TABLE ${name}_tiles (
      level INTEGER NOT NULL,
      number INTEGER NOT NULL,
      hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
      PRIMARY KEY (level, number)
    ) STRICT;
  `;
}
