// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { requireStackContinuation } from './continue-logs.ts';
import { TestStackFolder } from './stack.fixture.ts';

describe('a restored stack', () => {
  test('goes on where every log has what was seen of it, and a log that it does not have was never seen', async () => {
    await using folder = await TestStackFolder.make();
    const seen = new Map<string, string>();
    const copied = { onPublished: async (shard: string, checkpoint: string) => void seen.set(shard, checkpoint) };
    await folder.open(copied);
    await folder.close();
    const url = 'http://127.0.0.1:5080';
    const restored = { data: folder.data, url, logHost: undefined, now: () => new Date() };
    const proceed = (checkpoints: ReadonlyMap<string, string>): Promise<void> =>
      requireStackContinuation({ ...restored, checkpoints });
    assert.equal(seen.size, 3);
    await proceed(seen);
    // of something else
    await proceed(new Map([...seen, ['notes', 'x']]));
    const [id = ''] = seen.keys();
    await assert.rejects(proceed(new Map([...seen].filter(([name]) => name !== id))), { code: 'checkpoint-missing' });
    for (const role of ['log-v1', 'log-v2', 'ct-log'])
      await assert.rejects(proceed(new Map([...seen, [`${role}-0123456789abcdef`, 'x']])), {
        code: 'log-missing',
        message: new RegExp(`${role}-0123456789abcdef, which this backup does not have: it is from before a rotation`),
      });
  });

  test('from before a rotation is refused with the copies from after it', async () => {
    await using folder = await TestStackFolder.make();
    const seen = new Map<string, string>();
    const stack = await folder.open({ onPublished: async (shard, checkpoint) => void seen.set(shard, checkpoint) });
    await using backup = await TestStackFolder.make();
    await stack.copyDatabases(backup.data);
    await cp(join(folder.data, 'keys'), join(backup.data, 'keys'), { recursive: true });
    await stack.rotate('log');
    const url = 'http://127.0.0.1:5080';
    const restored = { data: backup.data, url, logHost: undefined, now: () => new Date(), checkpoints: seen };
    await assert.rejects(requireStackContinuation(restored), { code: 'log-missing' });
  });
});
