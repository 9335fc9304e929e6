// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteDatabase, type SqlDatabase } from '../store/index.ts';
import {
  encodeCheckpoint,
  keySigner,
  noteKey,
  noteSigner,
  rekorV1Origin,
  signNote,
  type PrivateKey,
  type Signer,
} from '../trust/index.ts';
import type { RingKey } from './key/ring-key.ts';
import type { AppendLog } from './log/append-log.ts';
import type { Witnesses } from './log/log-options.ts';
import { LogError } from './log/log-error.ts';
import { openAppendLog } from './log/open-append-log.ts';
import { requireContinuation } from './log/require-continuation.ts';

/** A log with a key of its own, in a database of its own. */
export interface LogShard {
  readonly key: RingKey;
  readonly log: AppendLog;
  readonly database: SqlDatabase;
  /** the first line of its checkpoints */
  readonly origin: string;
  readonly signer: Signer;
  close(): Promise<void>;
}

/** How shards are opened. */
export interface ShardOptions {
  /** the folder of the databases */
  readonly directory: string;
  /** host of the stack: what logs sign as that have no name of their own */
  readonly host: string;
  readonly now: () => Date;
  readonly onWarning: (message: string) => void;
  readonly witnesses?: Witnesses | undefined;
  /** refuse to begin a log where there is none */
  readonly mustExist?: boolean;
  /** told each checkpoint before anybody else, with the name of the shard */
  readonly onPublished?: ((shard: string, checkpoint: string) => Promise<void>) | undefined;
  /** what it was told last of a shard, by an earlier process as well; undefined where it was told of none */
  readonly lastCopied?: ((shard: string) => Promise<string | undefined>) | undefined;
}

/** All shards lie under one name in their databases. */
export const SHARD_TABLES = 'log';

/**
 * Opens the log of a key, or begins it. One that takes entries goes on from its last copied checkpoint, and looks at that again before
 * each copy: a database that was set back, say with a snapshot of its disk, or that runs twice, would give out the same places twice.
 *
 * @throws LogError `tree-smaller`, `tree-forked`, `log-missing`, `checkpoint-foreign` by the copy; and as `openAppendLog`
 */
export async function openShard(key: RingKey, privateKey: PrivateKey, options: ShardOptions): Promise<LogShard> {
  const { directory, host, now, onWarning, onPublished, witnesses, mustExist = false } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const database = await SqliteDatabase.open(shardFile(directory, key));
  try {
    const signer = keySigner(privateKey);
    const origin = shardOrigin(key, host);
    const note = noteSigner(key.role === 'log-v1' ? host : origin, signer);
    const warned = (message: string): void => onWarning(`${key.id}: ${message}`);
    const copies = key.state === 'active' ? new CopiedCheckpoints(database, key, options) : undefined;
    await copies?.demandContinuation().catch((error: unknown) => {
      if (error instanceof LogError) throw error;
      // Like a copy that cannot be made, no reason not to start: nothing is shown before it could be read.
      warned(error instanceof Error ? error.message : String(error));
    });
    const copied = async (checkpoint: string): Promise<void> => {
      await copies?.demandContinuation();
      await onPublished?.(key.id, checkpoint);
      copies?.made(checkpoint);
    };
    const log = await openAppendLog({
      database,
      name: SHARD_TABLES,
      origin,
      signCheckpoint: (size, root) => signNote(encodeCheckpoint({ origin, size, root, extensions: [] }), [note]),
      now,
      mustExist,
      warn: ({ message }) => warned(message),
      ...(witnesses === undefined || key.role !== 'log-v2' ? {} : { witnesses }),
      ...(onPublished === undefined ? {} : { onPublished: copied }),
    });
    const close = async (): Promise<void> => {
      await log.close();
      await database.close();
    };
    return { key, log, database, origin, signer, close };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** What was copied of a log: whatever lies there, the log must go on from it, also where another process has put it there since. */
class CopiedCheckpoints {
  readonly #database: SqlDatabase;
  readonly #key: RingKey;
  readonly #options: ShardOptions;
  /** what was copied or looked at last */
  #last: string | undefined;

  constructor(database: SqlDatabase, key: RingKey, options: ShardOptions) {
    this.#database = database;
    this.#key = key;
    this.#options = options;
  }

  /** @throws LogError `tree-smaller`, `tree-forked`, `log-missing`, `checkpoint-foreign`; what reading the copy throws */
  async demandContinuation(): Promise<void> {
    const { host, lastCopied } = this.#options;
    const { id, role, publicKey } = this.#key;
    const seen = await lastCopied?.(id);
    if (seen === undefined || seen === this.#last) return;
    const origin = shardOrigin(this.#key, host);
    const keys = [noteKey(role === 'log-v1' ? host : origin, publicKey)];
    await requireContinuation({ database: this.#database, name: SHARD_TABLES, origin, keys }, seen);
    this.#last = seen;
  }

  made(checkpoint: string): void {
    this.#last = checkpoint;
  }
}

/** Where the log of a key lies. */
export function shardFile(directory: string, { id }: Pick<RingKey, 'id'>): string {
  return join(directory, `${id}.db`);
}

/**
 * The first line of a shard's checkpoints: what clients of Rekor v1 and v2 expect; the certificate log shows none of them, its origin
 * only keeps it apart.
 */
export function shardOrigin(key: RingKey, host: string): string {
  if (key.role === 'log-v1') return rekorV1Origin(host, treeIdOf(key));
  return key.role === 'log-v2' ? (key.origin ?? host) : `${host}/ct/${key.id}`;
}

/** The tree of a shard of Rekor v1: follows from its key, so that no two shards share one. From 1 to 2^63 - 1. */
export function treeIdOf({ publicKey }: Pick<RingKey, 'publicKey'>): bigint {
  const bytes = Buffer.from(publicKey.hint, 'base64');
  return (bytes.readBigUInt64BE(0) & 0x7fff_ffff_ffff_ffffn) | 1n;
}
