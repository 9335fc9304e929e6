// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../../oci/index.ts';
import { EvidenceBudget } from './evidence-budget.ts';
import { LargeReads } from './large-reads.ts';

const LIMITS = { probe: 100, small: 300, large: 1000, waitMs: 30, holdMs: 5000, totalMs: 5000 };
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
    const end = await large.turn('n', LIMITS, () => assert.fail());
    const budget = new EvidenceBudget(LIMITS, large, 'n');
    const asked: number[] = [];
    for (let at = 0; at < 3; at++) assert.equal((await budget.read(500, blob(50, asked)))?.byteLength, 50);
    assert.deepEqual(asked, [100, 100, 100]);
    budget.end();
    end();
  });

  test('waits for its turn where it is much, and one at a time has it', async () => {
    const large = new LargeReads();
    const first = new EvidenceBudget(LIMITS, large, 'n');
    const second = new EvidenceBudget(LIMITS, large, 'n');
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
    const first = new EvidenceBudget(LIMITS, large, 'n');
    await first.read(900, blob(500));
    const second = new EvidenceBudget(LIMITS, large, 'n');
    await assert.rejects(second.read(900, blob(500)), { code: 'overloaded' });
    second.end();
    const third = new EvidenceBudget({ ...LIMITS, waitMs: 5000 }, large, 'n');
    const waiting = third.read(900, blob(500));
    first.end();
    assert.equal((await waiting)?.byteLength, 500);
    third.end();
  });

  test('ends at its cap, of one thing and of many', async () => {
    const budget = new EvidenceBudget(LIMITS, new LargeReads(), 'n');
    await assert.rejects(budget.read(5000, blob(2000)), { code: 'evidence-capped' });
    await budget.read(900, blob(800));
    await assert.rejects(budget.read(900, blob(800)), { code: 'evidence-capped' });
    await assert.rejects(budget.spend(500), { code: 'evidence-capped' });
    budget.end();
  });

  test('what is larger than was asked for is told as the registry tells it', async () => {
    const budget = new EvidenceBudget(LIMITS, new LargeReads(), 'n');
    await assert.rejects(budget.read(50, blob(60)), { code: 'too-large' });
    await assert.rejects(budget.read(500, blob(600)), { code: 'too-large' });
    budget.end();
  });

  test('takes no longer than it may, whoever waits for it', async () => {
    const budget = new EvidenceBudget({ ...LIMITS, totalMs: 20 }, new LargeReads(), 'n');
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

  test('is the turn of one namespace after another, and none has it for long while others wait', async () => {
    const large = new LargeReads();
    const limits = { ...LIMITS, waitMs: 5000, holdMs: 20 };
    const budget = (namespace: string): EvidenceBudget => new EvidenceBudget(limits, large, namespace);
    const order: string[] = [];
    const reads = async (name: string, of: EvidenceBudget): Promise<void> => {
      await of.read(900, blob(500));
      order.push(name);
      of.end();
    };
    const first = budget('greedy');
    assert.equal((await first.read(900, blob(500)))?.byteLength, 500);
    const stuck = first.within(() => never);
    const waiting = [reads('second', budget('greedy')), reads('third', budget('greedy'))];
    // nobody else waits: it may take its time
    await new Promise((done) => setTimeout(done, 60));
    assert.deepEqual(order, []);
    waiting.push(reads('modest', budget('modest')));
    await assert.rejects(stuck, { code: 'overloaded' });
    first.end();
    await Promise.all(waiting);
    assert.deepEqual(order, ['second', 'modest', 'third']);
  });
});
