// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { settle, TurnedClock } from './cluster.fixture.ts';
import { WriteQueue } from './write-queue.ts';

function queue(clock: TurnedClock, capacity = 100): { readonly writes: WriteQueue; readonly lost: string[] } {
  const lost: string[] = [];
  return {
    lost,
    writes: new WriteQueue({ perSecond: 10, burst: 5, capacity, clock, onLost: (message) => lost.push(message) }),
  };
}

suite('a queue of writes', () => {
  test('writes a burst at once, and then no faster than its rate', async () => {
    const clock = new TurnedClock();
    const { writes } = queue(clock);
    const at: number[] = [];
    for (let one = 0; one < 25; one++) writes.add(`w${one}`, async () => at.push(clock.now()));
    await settle();
    assert.equal(at.length, 5);
    await clock.turn(1000);
    assert.equal(at.length, 15);
    await clock.turn(1000);
    assert.equal(at.length, 25);
  });

  test('writes what was added last under one key, and nothing twice', async () => {
    const clock = new TurnedClock();
    const { writes } = queue(clock);
    const written: number[] = [];
    for (let one = 0; one < 10; one++) writes.add('same', async () => written.push(one));
    await settle();
    assert.deepEqual(written, [9]);
  });

  test('drops what it has no place for, and says so once', async () => {
    const clock = new TurnedClock();
    const { writes, lost } = queue(clock, 10);
    let written = 0;
    for (let one = 0; one < 1000; one++) writes.add(`w${one}`, async () => (written += 1));
    assert.equal(writes.length, 10);
    await clock.turn(10_000);
    assert.equal(written, 10);
    assert.deepEqual(lost, ['one write was lost: too many wait']);
    await clock.turn(60_000);
    writes.add('bad', () => Promise.reject(new Error('forbidden')));
    await settle();
    assert.deepEqual(lost.slice(1), ['990 writes were lost: forbidden']);
  });

  test('goes on after a write that fails', async () => {
    const { writes } = queue(new TurnedClock());
    let written = 0;
    writes.add('bad', () => Promise.reject(new Error('no')));
    writes.add('good', async () => (written += 1));
    await writes.drained();
    assert.equal(written, 1);
  });

  test('drops what waits when it is closed, and takes nothing more', async () => {
    const clock = new TurnedClock();
    const { writes } = queue(clock);
    let written = 0;
    for (let one = 0; one < 25; one++) writes.add(`w${one}`, async () => (written += 1));
    await settle();
    await writes.close();
    writes.add('late', async () => (written += 1));
    await clock.turn(10_000);
    assert.equal(written, 5);
  });
});
