// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  SqliteDatabase,
  type Migration,
  type SqlDatabase,
  type SqlRow,
  type SqlTransaction,
  type SqlValue,
} from '../../store/index.ts';
import { leafHash } from '../../trust/index.ts';
import type { AppendLog, NewEntry } from './append-log.ts';
import type { AppendLogOptions } from './log-options.ts';
import { checkpointSigner, type SignCheckpoint } from './memory-log.fixture.ts';
import { openAppendLog } from './open-append-log.ts';

export const ORIGIN = 'log.example';
export const NAME = 'test';

/** An entry whose leaf is this text. */
export function entryOf(text: string, ...terms: readonly string[]): NewEntry {
  const leaf = Buffer.from(text);
  return { leaf, identity: leafHash(leaf), terms };
}

/** A log in a folder of its own, that can be closed and opened again. */
export class LogScene {
  readonly folder: string;
  readonly sign: SignCheckpoint;
  database: SqliteDatabase;
  #log: AppendLog | undefined;

  private constructor(folder: string, sign: SignCheckpoint, database: SqliteDatabase) {
    this.folder = folder;
    this.sign = sign;
    this.database = database;
  }

  static async make(): Promise<LogScene> {
    const folder = await mkdtemp(join(tmpdir(), 'bulla-log-'));
    return new LogScene(folder, await checkpointSigner(ORIGIN), await SqliteDatabase.open(join(folder, 'log.db')));
  }

  /** The options of a log here, but for what is said. */
  options(changes: Partial<AppendLogOptions> = {}): AppendLogOptions {
    return {
      database: this.database,
      name: NAME,
      origin: ORIGIN,
      signCheckpoint: this.sign,
      now: () => new Date(),
      ...changes,
    };
  }

  async open(changes: Partial<AppendLogOptions> = {}): Promise<AppendLog> {
    this.#log = await openAppendLog(this.options(changes));
    return this.#log;
  }

  /** Closes log and database, and opens both again. */
  async reopen(changes: Partial<AppendLogOptions> = {}): Promise<AppendLog> {
    await this.#log?.close();
    await this.database.close();
    this.database = await SqliteDatabase.open(join(this.folder, 'log.db'));
    return this.open(changes);
  }

  /** Changes what is kept, behind the log's back. */
  async tamper(sql: string, ...values: readonly (string | number | Uint8Array | null)[]): Promise<void> {
    await this.database.write((tx) => tx.run(sql, ...values));
  }

  async end(): Promise<void> {
    await this.#log?.close();
    await this.database.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs a test on a scene, and clears it away. */
export function onScene(body: (scene: LogScene) => Promise<void>): () => Promise<void> {
  return async () => {
    const scene = await LogScene.make();
    try {
      await body(scene);
    } finally {
      await scene.end();
    }
  };
}

/** What a test may do to a database: `undefined` lets the operation pass. */
export type Fault = (operation: Operation) => Error | undefined;

/** Where a database can fail: at a read, when a write begins, at a statement in it, before its commit, and after it. */
export interface Operation {
  readonly kind: 'read' | 'begin' | 'statement' | 'commit' | 'answer';
  /** of all operations, from 1 */
  readonly number: number;
  readonly sql: string;
}

/** A database that fails where a test says. A fault at `answer` hides that the commit has happened. */
export class FaultyDatabase implements SqlDatabase {
  readonly #database: SqlDatabase;
  fault: Fault;
  operations = 0;

  constructor(database: SqlDatabase, fault: Fault = () => undefined) {
    this.#database = database;
    this.fault = fault;
  }

  async all<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<readonly Row[]> {
    this.#step('read', sql);
    return this.#database.all<Row>(sql, ...values);
  }

  async get<Row extends SqlRow = SqlRow>(sql: string, ...values: readonly SqlValue[]): Promise<Row | undefined> {
    this.#step('read', sql);
    return this.#database.get<Row>(sql, ...values);
  }

  async write<Answer>(body: (transaction: SqlTransaction) => Promise<Answer>): Promise<Answer> {
    this.#step('begin', '');
    const answer = await this.#database.write(async (tx) => {
      const answered = await body({
        all: (sql, ...values) => tx.all(sql, ...values),
        get: (sql, ...values) => tx.get(sql, ...values),
        run: async (sql, ...values) => {
          this.#step('statement', sql);
          return tx.run(sql, ...values);
        },
      });
      this.#step('commit', '');
      return answered;
    });
    this.#step('answer', '');
    return answer;
  }

  async migrate(room: string, migrations: readonly Migration[]): Promise<void> {
    await this.#database.migrate(room, migrations);
  }

  async copyTo(path: string): Promise<void> {
    await this.#database.copyTo(path);
  }

  async close(): Promise<void> {}

  #step(kind: Operation['kind'], sql: string): void {
    this.operations++;
    const error = this.fault({ kind, number: this.operations, sql });
    if (error !== undefined) throw error;
  }
}
