// SPDX-License-Identifier: Apache-2.0

/** What a column can hold. Whole numbers up to 2^53 - 1 come back as numbers. */
export type SqlValue = null | number | string | Uint8Array;

/** A row by its column names. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** Reads. Parameters are `?`, in order; statements are fixed texts, so that each is prepared once. */
export interface SqlReader {
  /** All rows. Bound the number in the statement (`LIMIT ?`): they are held in memory. */
  all<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]>;
  /** The first row. */
  get<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<Row | undefined>;
}

/** Reads and writes that become visible, and durable, together. */
export interface SqlTransaction extends SqlReader {
  /** Runs a statement. `changes` counts the rows that it inserted, updated or deleted. */
  run(sql: string, ...values: readonly SqlValue[]): Promise<{ readonly changes: number }>;
}

/** One numbered step of a room's schema. Never changed once released: a correction is a further step. */
export interface Migration {
  /** 1, 2, 3, … without a gap */
  readonly number: number;
  readonly name: string;
  /** statements, separated by `;` */
  readonly sqlite: string;
}

/**
 * The SQL port: SQLite in a file now, PostgreSQL later.
 *
 * - A read sees only what was committed, and what was committed is on the disk.
 * - Writes run one after the other, as if each were alone. `write` answers after the flush; several that arrive together share one.
 * - Errors are StoreErrors, except what a body throws: that comes back as it was, after its own writes (and only those) were undone.
 *
 * Implementations pass the suite in `sql-database.contract.ts`.
 */
export interface SqlDatabase extends SqlReader {
  /**
   * Runs `body` in a transaction. It awaits nothing but its own statements: other writers wait for it.
   *
   * @throws StoreError `full`, `io-failed`, `corrupt`, `constraint-failed`, `statement-failed`, `closed`
   * @example await database.write((tx) => tx.run('INSERT INTO tags (name, digest) VALUES (?, ?)', name, digest))
   */
  write<Answer>(body: (transaction: SqlTransaction) => Promise<Answer>): Promise<Answer>;
  /**
   * Brings a room's tables to its newest migration; each step runs once, whole or not at all.
   *
   * @throws StoreError `newer-format` where the database has a step that this program does not know; `migration-failed`
   */
  migrate(room: string, migrations: readonly Migration[]): Promise<void>;
  /**
   * Copies all that is committed at one moment into a new database, durably, while others read and write.
   *
   * @param path a file that does not exist
   * @throws StoreError `exists`, `full`, `io-failed`
   */
  copyTo(path: string): Promise<void>;
  /** Finishes what was begun, then closes. */
  close(): Promise<void>;
}
