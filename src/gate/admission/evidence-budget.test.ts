// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../../oci/index.ts';
import { EvidenceBudget, LargeReads } from './evidence-budget.ts';

const LIMITS = { probe: 100, small: 300, large: 1000, waitMs: 30, totalMs: 5000 };
const never = new Promise<never>(() => {});

/** A blob of so many bytes, which says how large it is before it is read. */
const blob =
  (size: number, asked: number[] = []) =>
  async (maxBytes: number): Promise<Uint8Array> => {
    asked.push(maxBytes);
    if (size > maxBytes) throw new RegistryError('too-large', `${size} bytes`);
    return new Uint8Array(size);
  };

describe('what one verification may read', () => {
  test('is read at once while it is little, however large it might have been', async () => {
    const large = new LargeReads();
    const end = await large.turn(30);
    const budget = new EvidenceBudget(LIMITS, large);
    const asked: number[] = [];
    for (let at = 0; at < 3; at++) assert.equal((await budget.read(500, blob(50, asked)))?.byteLength, 50);
    assert.deepEqual(asked, [100, 100, 100]);
    budget.end();
    end();
  });

  test('waits for its turn where it is much, and one at a time has it', async () => {
    const large = new LargeReads();
    const first = new EvidenceBudget(LIMITS, large);
    const second = new EvidenceBudget(LIMITS, large);
    assert.equal((await first.read(900, blob(500)))?.byteLength, 500);
    let got = false;
    const waiting = second.read(900, blob(500)).then(() => (got = true));
    await new Promise((done) => setImmediate(done));
    assert.equal(got, false);
    first.end();
    assert.equal(await waiting, true);
    second.end();
  });

  test('waits not for ever, and who gave up keeps nobody waiting', async () => {
    const large = new LargeReads();
    const first = new EvidenceBudget(LIMITS, large);
    await first.read(900, blob(500));
    const second = new EvidenceBudget(LIMITS, large);
    await assert.rejects(second.read(900, blob(500)), { code: 'overloaded' });
    second.end();
    const third = new EvidenceBudget({ ...LIMITS, waitMs: 5000 }, large);
    const waiting = third.read(900, blob(500));
    first.end();
    assert.equal((await waiting)?.byteLength, 500);
    third.end();
  });

  test('ends at its cap, of one thing and of many', async () => {
    const budget = new EvidenceBudget(LIMITS, new LargeReads());
    await assert.rejects(budget.read(5000, blob(2000)), { code: 'evidence-capped' });
    await budget.read(900, blob(800));
    await assert.rejects(budget.read(900, blob(800)), { code: 'evidence-capped' });
    await assert.rejects(budget.spend(500), { code: 'evidence-capped' });
    budget.end();
  });

  test('what is larger than was asked for is told as the registry tells it', async () => {
    const budget = new EvidenceBudget(LIMITS, new LargeReads());
    await assert.rejects(budget.read(50, blob(60)), { code: 'too-large' });
    await assert.rejects(budget.read(500, blob(600)), { code: 'too-large' });
    budget.end();
  });

  test('takes no longer than it may, whoever waits for it', async () => {
    const budget = new EvidenceBudget({ ...LIMITS, totalMs: 20 }, new LargeReads());
    await assert.rejects(
      budget.within(() => never),
      { code: 'deadline' },
    );
    await assert.rejects(
      budget.within(async () => 1),
      { code: 'deadline' },
    );
    budget.end();
  });
});
