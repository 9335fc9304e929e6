// SPDX-License-Identifier: Apache-2.0
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SqliteDatabase } from '../store/index.ts';
import type { RestoredStack } from './continue-logs.ts';
import { openKeyRing } from './key/key-ring.ts';
import { checkLog } from './log/check-log.ts';
import { SHARD_TABLES, shardFile, shardOrigin } from './log-shard.ts';
import { LOG_ROLES, logsFolder, type ShardCheck } from './log-shards.ts';

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
  const checks: ShardCheck[] = [];
  for (const key of LOG_ROLES.flatMap((role) => ring.of(role))) {
    const origin = shardOrigin(key, host);
    const file = shardFile(logsFolder(data), key);
    const there = await access(file).then(
      () => true,
      () => false,
    );
    if (!there) {
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
