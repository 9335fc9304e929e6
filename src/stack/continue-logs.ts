// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { SqliteDatabase } from '../store/index.ts';
import { decodeCheckpoint, decodeNote, noteKey } from '../trust/index.ts';
import { openKeyRing, type KeyRing } from './key/key-ring.ts';
import type { RingKey } from './key/ring-key.ts';
import { LogError } from './log/log-error.ts';
import { requireContinuation } from './log/require-continuation.ts';
import { SHARD_TABLES, shardFile, shardOrigin } from './log-shard.ts';
import { LOG_ROLES, logsFolder } from './log-shards.ts';
import { addressesOf } from './open-stack.ts';
import { rotateKeys } from './tuf/rotate-keys.ts';
import { stackTargets } from './tuf/target.ts';
import { createTufRepository, type TufRepository } from './tuf/tuf-repository.ts';

/** A data directory that nobody runs. */
export interface RestoredStack {
  readonly data: string;
  readonly url: string;
  /** `{year}.log.example` */
  readonly logHost: string | undefined;
  readonly password?: Uint8Array | undefined;
  readonly now: () => Date;
}

/**
 * Makes sure that every log of a restored stack that still takes entries goes on from a checkpoint that the world has seen.
 *
 * @param stack.checkpoints by the id of the key of their log; one under `''` counts for the log that it names
 * @throws LogError `tree-smaller`, `tree-forked`, `checkpoint-foreign`, `checkpoint-missing` for a log that none was given for, `log-missing` for a
 * checkpoint of a log that was begun later; KeyRingError
 */
export async function requireStackContinuation(
  stack: RestoredStack & { readonly checkpoints: ReadonlyMap<string, string> },
): Promise<void> {
  const { data, url, password, now, checkpoints } = stack;
  const ring = await openKeyRing({ directory: join(data, 'keys'), password, now });
  const host = hostOf(url);
  for (const key of growing(ring, now())) {
    const origin = shardOrigin(key, host);
    const seen = checkpoints.get(key.id) ?? onlyOne(checkpoints, origin);
    if (seen === undefined) {
      throw new LogError(
        'checkpoint-missing',
        `no checkpoint says how far the log ${key.id} (${origin}) had come: a backup alone may lack its newest entries`,
      );
    }
    const database = await SqliteDatabase.open(shardFile(logsFolder(data), key));
    try {
      await requireContinuation({ database, name: SHARD_TABLES, origin, keys: [noteKeyOf(key, host)] }, seen);
    } finally {
      await database.close();
    }
  }
  requireKnownLogs(ring, checkpoints);
}

const LOG_KEY = new RegExp(`^(?:${LOG_ROLES.join('|')})-[0-9a-f]{16}$`);

// A log that was begun after the backup was made is not in it: its entries would be lost, and the one that it took the place of would go on.
function requireKnownLogs(ring: KeyRing, checkpoints: ReadonlyMap<string, string>): void {
  const known = new Set(ring.keys.map(({ id }) => id));
  const later = [...checkpoints.keys()].find((id) => LOG_KEY.test(id) && !known.has(id));
  if (later === undefined) return;
  throw new LogError(
    'log-missing',
    `there is a checkpoint of the log ${later}, which this backup does not have: it is from before a rotation. Restore a newer one (or move the checkpoint away, if it is another stack's)`,
  );
}

/**
 * Ends every log of a restored stack where it stands, and begins another with a new key: nothing can be asked whether entries are missing,
 * so nothing is ever added to the old ones.
 *
 * @param stack.offlineKeys where the operator has brought keys that are kept offline
 *
 * @returns the ids of the new keys
 */
export async function beginNewShards(
  stack: RestoredStack & { readonly offlineKeys?: string | undefined },
): Promise<readonly string[]> {
  const { ring, repository } = await openPublished(stack);
  const { now, offlineKeys } = stack;
  const begun: string[] = [];
  for (const rotation of ['log', 'ctlog'] as const) {
    const { activated } = await rotateKeys(ring, repository, rotation, { now: now(), offlineKeys });
    begun.push(...activated.map(({ id }) => id));
  }
  return begun;
}

/**
 * Publishes what was restored under versions that no client has seen, so that none takes it for an attack.
 *
 * @throws KeyRingError, TufError, StoreError
 */
export async function republish(stack: RestoredStack & { readonly offlineKeys?: string | undefined }): Promise<void> {
  const { repository } = await openPublished(stack);
  await repository.tick({ afterRestore: true, offlineKeys: stack.offlineKeys });
}

async function openPublished({ data, url, logHost, password, now }: RestoredStack): Promise<{
  readonly ring: KeyRing;
  readonly repository: TufRepository;
}> {
  const ring = await openKeyRing({ directory: join(data, 'keys'), password, now });
  const addresses = addressesOf(url, logHost);
  const targets = (): ReturnType<typeof stackTargets> => stackTargets(ring, addresses);
  return { ring, repository: await createTufRepository({ ring, directory: join(data, 'tuf'), targets, now }) };
}

/** Logs that take entries: the active ones, and shards that clients have not been told long enough about that they end. */
function growing(ring: KeyRing, now: Date): readonly RingKey[] {
  const ending = ring
    .of('log-v2')
    .filter(({ state, validFor: { end } }) => state === 'retired' && end !== undefined && end > now);
  return [ring.active('log-v1'), ring.active('log-v2'), ring.active('ct-log'), ...ending];
}

function onlyOne(checkpoints: ReadonlyMap<string, string>, origin: string): string | undefined {
  const alone = checkpoints.get('');
  if (alone === undefined) return undefined;
  const { text } = decodeNote(alone, 'the checkpoint');
  return decodeCheckpoint(text, 'the checkpoint').origin === origin ? alone : undefined;
}

function noteKeyOf(key: RingKey, host: string): ReturnType<typeof noteKey> {
  return noteKey(key.role === 'log-v1' ? host : shardOrigin(key, host), key.publicKey);
}

function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
