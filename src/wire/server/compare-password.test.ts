// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from 'bcryptjs';
import { comparePassword } from './compare-password.ts';

describe('a password', () => {
  test('is right or wrong, and of many at a time each has its own answer', async () => {
    const hashes = await Promise.all(['a', 'b', 'c'].map((password) => hash(password, 4)));
    const asked = hashes.flatMap((one) => ['a', 'b', 'c'].map((password) => comparePassword(password, one)));
    assert.deepEqual(await Promise.all(asked), [true, false, false, false, true, false, false, false, true]);
  });

  test('is wrong where there is no hash', async () => {
    for (const nothing of ['', '$2y$10$', 'x'.repeat(60)]) assert.equal(await comparePassword('a', nothing), false);
  });

  test('holds nothing else up while it is checked', async () => {
    // 2 to the thirteenth rounds: hundreds of milliseconds, and on this thread ten pauses of a tenth of a second
    const slow = `$2b$13$${'a'.repeat(53)}`;
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 1);
    await comparePassword('a', slow);
    clearInterval(counting);
    assert.ok(turns > 50, `only ${turns} turns`);
  });
});
