// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import type { Migration, SqlDatabase } from '../store/index.ts';
import type { KeyRing } from './key/key-ring.ts';
import type { KeyRole } from './key/key-role.ts';
import { checkLog, type LogCheck } from './log/check-log.ts';
import { openShard, SHARD_TABLES, shardFile, type LogShard, type ShardOptions } from './log-shard.ts';

/** What a check has found in a shard. */
export interface ShardCheck extends LogCheck {
  /** the id of its key */
  readonly shard: string;
  readonly origin: string;
}

/** Which keys have a log. */
export const LOG_ROLES: readonly KeyRole[] = ['ct-log', 'log-v1', 'log-v2'];

const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'shards that were begun',
    sqlite: 'CREATE TABLE log_shards (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;',
  },
];

/**
 * The logs of a stack: one for each key of a log that there ever was.
 *
 * A log that was begun must be there ever after: begun anew under its key it would be a fork.
 */
export class LogShards {
  readonly #database: SqlDatabase;
  readonly #ring: KeyRing;
  readonly #options: ShardOptions;
  #shards: readonly LogShard[] = [];

  private constructor(database: SqlDatabase, ring: KeyRing, options: ShardOptions) {
    this.#database = database;
    this.#ring = ring;
    this.#options = options;
  }

  /** @throws as `openShard`; then none is open */
  static async open(database: SqlDatabase, ring: KeyRing, options: ShardOptions): Promise<LogShards> {
    await database.migrate('log shards', MIGRATIONS);
    const shards = new LogShards(database, ring, options);
    try {
      await shards.follow();
      return shards;
    } catch (error) {
      await shards.close();
      throw error;
    }
  }

  /** Those of a role, oldest first. */
  of(role: KeyRole): readonly LogShard[] {
    return this.#shards.filter(({ key }) => key.role === role);
  }

  /** The shard of a key. */
  shard(id: string): LogShard {
    const found = this.#shards.find(({ key }) => key.id === id);
    if (found === undefined) throw new Error(`internal error: ${id} has no log open`);
    return found;
  }

  /** When the newest entry of all was sequenced: the clock must not stand before it. */
  async newestTime(): Promise<Date | undefined> {
    const times: number[] = [];
    for (const { log } of this.#shards) {
      const [last] = await log.entries(Math.max(0, log.tree().size - 1), 1);
      if (last !== undefined) times.push(last.time);
    }
    return times.length === 0 ? undefined : new Date(Math.max(...times));
  }

  /** What keeps logs from taking entries, one line each. */
  troubles(): readonly string[] {
    return this.#shards.flatMap(({ log, key }) => {
      const trouble = log.trouble();
      return trouble === undefined ? [] : [`${key.id}: ${trouble}`];
    });
  }

  /** Opens the logs of keys that are new, and learns which have ended. */
  async follow(): Promise<void> {
    for (const key of LOG_ROLES.flatMap((role) => this.#ring.of(role))) {
      const known = this.#shards.find((shard) => shard.key.id === key.id);
      const shard = known === undefined ? await this.#open(key.id) : { ...known, key };
      this.#shards = [...this.#shards.filter((other) => other.key.id !== key.id), shard];
    }
  }

  /** Derives each log anew from its entries. */
  async check(onProgress: (shard: string, entries: number) => void = () => {}): Promise<readonly ShardCheck[]> {
    const checks: ShardCheck[] = [];
    for (const { database, key, origin } of this.#shards) {
      const check = await checkLog({
        database,
        name: SHARD_TABLES,
        origin,
        onProgress: (entries) => onProgress(key.id, entries),
      });
      checks.push({ ...check, shard: key.id, origin });
    }
    return checks;
  }

  /** Copies each log as it is at one moment. */
  async copyTo(folder: string): Promise<void> {
    for (const { database, key } of this.#shards) await database.copyTo(shardFile(folder, key));
  }

  async close(): Promise<void> {
    for (const shard of this.#shards) await shard.close();
    this.#shards = [];
  }

  async #open(id: string): Promise<LogShard> {
    const key = this.#ring.keys.find((one) => one.id === id);
    if (key === undefined) throw new Error(`internal error: the ring has no ${id}`);
    const begun = await this.#database.get('SELECT id FROM log_shards WHERE id = ?', id);
    const shard = await openShard(key, await this.#ring.privateKey(key), {
      ...this.#options,
      mustExist: begun !== undefined,
    });
    // After the log: a crash in between begins nothing anew, it only finds the log there.
    if (begun === undefined) {
      await this.#database.write((tx) => tx.run('INSERT INTO log_shards (id) VALUES (?) ON CONFLICT DO NOTHING', id));
    }
    return shard;
  }
}

/** The ids of the logs that were begun, and so must be there. A database in which none ever was has no table of them. */
export async function begunShards(database: SqlDatabase): Promise<ReadonlySet<string>> {
  const table = await database.get("SELECT name FROM sqlite_schema WHERE name = 'log_shards'");
  const rows = table === undefined ? [] : await database.all<{ id: string }>('SELECT id FROM log_shards');
  return new Set(rows.map(({ id }) => id));
}

/** The folder of the logs in a data directory. */
export function logsFolder(data: string): string {
  return join(data, 'logs');
}
