// SPDX-License-Identifier: Apache-2.0
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteDatabase } from '../store/index.ts';
import type { RestoredStack } from './continue-logs.ts';
import { openKeyRing } from './key/key-ring.ts';
import { checkLog } from './log/check-log.ts';
import { SHARD_TABLES, shardFile, shardOrigin } from './log-shard.ts';
import { begunShards, LOG_ROLES, logsFolder, type ShardCheck } from './log-shards.ts';
import { STACK_DATABASE } from './running-services.ts';

/**
 * Derives every log of a data directory that nobody runs anew from its entries: also of one that does not start, because a log contradicts
 * itself.
 *
 * @throws KeyRingError, StoreError
 */
export async function checkStoppedLogs({
  data,
  url,
  password,
  now,
}: Omit<RestoredStack, 'logHost'>): Promise<readonly ShardCheck[]> {
  const ring = await openKeyRing({ directory: join(data, 'keys'), password, now });
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const begun = await begunIn(join(data, STACK_DATABASE));
  const checks: ShardCheck[] = [];
  for (const key of LOG_ROLES.flatMap((role) => ring.of(role))) {
    const origin = shardOrigin(key, host);
    const file = shardFile(logsFolder(data), key);
    if (!(await isThere(file))) {
      // A new key's log is begun at the next start.
      if (!begun.has(key.id)) continue;
      const findings = [{ code: 'head-missing', message: `${file} is gone` }] as const;
      checks.push({ shard: key.id, origin, size: 0, rootHash: undefined, findings, found: findings.length });
      continue;
    }
    const database = await SqliteDatabase.open(file);
    try {
      checks.push({ ...(await checkLog({ database, name: SHARD_TABLES, origin })), shard: key.id, origin });
    } finally {
      await database.close();
    }
  }
  return checks;
}

async function begunIn(file: string): Promise<ReadonlySet<string>> {
  const database = await SqliteDatabase.open(file);
  try {
    return await begunShards(database);
  } finally {
    await database.close();
  }
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
