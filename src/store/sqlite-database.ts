// SPDX-License-Identifier: Apache-2.0
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { copySqlite } from './copy-sqlite.ts';
import type { Migration, SqlDatabase, SqlRow, SqlTransaction, SqlValue } from './sql-database.ts';
import { StoreError } from './store-error.ts';
import { sqliteError } from './sqlite-error.ts';

/** Writers that share one flush at most; bounds how long a batch keeps the event loop. */
const BATCH = 256;
const BUSY_TIMEOUT_MS = 5000;

interface Waiting {
  run(transaction: SqlTransaction): Promise<unknown>;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * SQLite in one file: WAL, `synchronous=FULL`, foreign keys. Writers have one connection, readers another, so that nobody sees what
 * is not on the disk yet.
 *
 * Group commit, the life of a write:
 *
 *     1. the body waits in a queue until the event loop has read what else came in
 *     2. BEGIN; each body of the batch runs in a SAVEPOINT of its own       a body that throws is undone alone
 *     3. COMMIT: the log is flushed, once for all                           a crash before: nothing happened
 *     4. every waiter gets its answer                                       a crash here: it is there, the retry finds it
 */
export class SqliteDatabase implements SqlDatabase {
  readonly #path: string;
  readonly #writer: Connection;
  readonly #reader: Connection;
  readonly #queue: Waiting[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  private constructor(path: string, writer: Connection, reader: Connection) {
    this.#path = path;
    this.#writer = writer;
    this.#reader = reader;
  }

  /**
   * Opens or creates a database.
   *
   * @param path the file; its directory exists
   * @throws StoreError `corrupt`, `busy`, `io-failed`
   */
  static async open(path: string): Promise<SqliteDatabase> {
    const { DatabaseSync } = await import('node:sqlite');
    try {
      const writer = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
      writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      const reader = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      reader.exec('PRAGMA query_only = ON');
      return new SqliteDatabase(path, new Connection(writer), new Connection(reader));
    } catch (cause) {
      throw sqliteError(`opening ${path}`, cause);
    }
  }

  async all<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]> {
    this.#mustBeOpen();
    return this.#reader.all(sql, values) as readonly Row[];
  }

  async get<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<Row | undefined> {
    this.#mustBeOpen();
    return this.#reader.get(sql, values) as Row | undefined;
  }

  async write<Answer>(body: (transaction: SqlTransaction) => Promise<Answer>): Promise<Answer> {
    this.#mustBeOpen();
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#queue.push({ run: body, resolve: (answer) => resolve(answer as Answer), reject });
    this.#draining ??= this.#drain();
    return promise;
  }

  async migrate(room: string, migrations: readonly Migration[]): Promise<void> {
    await this.write(async (tx) => {
      await tx.run(
        'CREATE TABLE IF NOT EXISTS migrations (room TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (room, number))',
      );
      const row = await tx.get<{ number: number | null }>(
        'SELECT max(number) AS number FROM migrations WHERE room = ?',
        room,
      );
      const done = row?.number ?? 0;
      if (done > migrations.length) {
        throw new StoreError(
          'newer-format',
          `the tables of '${room}' are at step ${done}, this program knows ${migrations.length}: it is older than the data`,
        );
      }
      for (const [index, migration] of migrations.entries()) {
        if (migration.number !== index + 1) {
          throw new StoreError('migration-failed', `migration ${migration.number} of '${room}' stands at ${index + 1}`);
        }
        if (migration.number <= done) continue;
        try {
          this.#writer.exec(migration.sqlite);
        } catch (cause) {
          const text = cause instanceof Error ? cause.message : String(cause);
          throw new StoreError('migration-failed', `migration ${migration.number} of '${room}': ${text}`, { cause });
        }
        await tx.run(
          'INSERT INTO migrations (room, number, name) VALUES (?, ?, ?)',
          room,
          migration.number,
          migration.name,
        );
      }
    });
  }

  async copyTo(path: string): Promise<void> {
    this.#mustBeOpen();
    await copySqlite(this.#path, path, BUSY_TIMEOUT_MS);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#draining;
    this.#reader.close();
    this.#writer.close();
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new StoreError('closed', 'the database is closed');
  }

  async #drain(): Promise<void> {
    await turn();
    while (this.#queue.length > 0) {
      await this.#commit(this.#queue.splice(0, BATCH));
      await turn();
    }
    this.#draining = undefined;
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const answers: (() => void)[] = [];
    try {
      this.#writer.exec('BEGIN IMMEDIATE');
      for (const waiting of batch) answers.push(await this.#runOne(waiting));
      this.#writer.exec('COMMIT');
    } catch (cause) {
      // The disk is full or broken: nothing of this batch is certain, so nobody is told that it is.
      this.#writer.rollback();
      const error = sqliteError('committing', cause);
      for (const waiting of batch) waiting.reject(error);
      return;
    }
    for (const answer of answers) answer();
  }

  /** Runs one body in its savepoint. Throws only what ends the whole batch. */
  async #runOne(waiting: Waiting): Promise<() => void> {
    this.#writer.exec('SAVEPOINT body');
    const transaction = new Transaction(this.#writer);
    let answer: () => void;
    try {
      const value = await waiting.run(transaction);
      answer = () => waiting.resolve(value);
    } catch (error) {
      // SQLite ends the whole transaction by itself on some errors (a full disk): then the batch is lost with it.
      if (!this.#writer.inTransaction) throw error;
      this.#writer.exec('ROLLBACK TO body');
      answer = () => waiting.reject(error);
    } finally {
      transaction.end();
    }
    this.#writer.exec('RELEASE body');
    return answer;
  }
}

/** What a body is given. It ends with the body, so that a forgotten await cannot write into somebody else's transaction. */
class Transaction implements SqlTransaction {
  readonly #connection: Connection;
  #ended = false;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  end(): void {
    this.#ended = true;
  }

  async all<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#open().all(sql, values) as readonly Row[];
  }

  async get<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<Row | undefined> {
    return this.#open().get(sql, values) as Row | undefined;
  }

  async run(sql: string, ...values: readonly SqlValue[]): Promise<{ readonly changes: number }> {
    return this.#open().run(sql, values);
  }

  #open(): Connection {
    if (this.#ended) throw new StoreError('closed', 'the transaction has ended');
    return this.#connection;
  }
}

/** A connection and its prepared statements. */
class Connection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction;
  }

  all(sql: string, values: readonly SqlValue[]): readonly SqlRow[] {
    return this.#with(sql, (statement) => statement.all(...values) as readonly SqlRow[]);
  }

  get(sql: string, values: readonly SqlValue[]): SqlRow | undefined {
    return this.#with(sql, (statement) => statement.get(...values) as SqlRow | undefined);
  }

  run(sql: string, values: readonly SqlValue[]): { readonly changes: number } {
    return this.#with(sql, (statement) => ({
      changes: Number(statement.run(...values).changes),
    }));
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #with<Answer>(sql: string, use: (statement: StatementSync) => Answer): Answer {
    try {
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#database.prepare(sql);
        this.#statements.set(sql, statement);
      }
      return use(statement);
    } catch (cause) {
      throw sqliteError(sql, cause);
    }
  }
}

/** Lets the event loop read what came in meanwhile. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
