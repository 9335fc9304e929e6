// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { double } from './thread-calls.fixture.ts';

describe('a thread', () => {
  test('answers each of many calls with its own', async () => {
    const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
    assert.deepEqual(
      await Promise.all(numbers.map(double)),
      numbers.map((number) => 2 * number),
    );
  });

  test('that ends lets nobody wait, and the next call starts another', async () => {
    const ended = await Promise.allSettled([double(0), double(1), double(0)]);
    for (const one of ended)
      assert.match(one.status === 'rejected' ? String(one.reason) : '', /the thread for 'doubling' has ended/);
    assert.equal(await double(2), 4);
    assert.equal(await double(3), 6);
  });

  test('keeps no process alive that has its answer', () => {
    const fixture = join(import.meta.dirname, 'thread-calls.fixture.ts');
    const { status, stdout, stderr } = spawnSync(process.execPath, [fixture], { encoding: 'utf8', timeout: 60_000 });
    assert.deepEqual([status, stdout], [0, '42\n'], stderr);
  });
});
