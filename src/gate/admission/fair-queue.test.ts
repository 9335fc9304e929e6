// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FairQueue } from './fair-queue.ts';

const tick = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('a fair queue', () => {
  test('lets namespaces take turns, and no more run than may', async () => {
    const queue = new FairQueue({ running: 1, runningEach: 1, runningFirst: 0, waiting: 100, waitingEach: 100 });
    const order: string[] = [];
    let running = 0;
    const task = (namespace: string) => async (): Promise<void> => {
      running += 1;
      assert.equal(running, 1);
      order.push(namespace);
      await tick();
      running -= 1;
    };
    const all = ['a', 'a', 'a', 'a', 'b', 'b', 'c'].map((namespace) => queue.run(namespace, task(namespace)));
    assert.equal(queue.waiting, 6);
    await Promise.all(all);
    assert.ok(order.indexOf('c') < 4, order.join(''));
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  test('leaves room for others beside one that asks for much', async () => {
    const queue = new FairQueue({ running: 4, runningEach: 2, runningFirst: 0, waiting: 100, waitingEach: 100 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const stuck = Array.from({ length: 10 }, () => queue.run('a', () => promise));
    assert.equal(queue.running, 2);
    assert.equal(await queue.run('b', async () => 'done'), 'done');
    resolve();
    await Promise.all(stuck);
  });

  test('has a place for a namespace with nothing under way, though others hold every other one', async () => {
    const queue = new FairQueue({ running: 2, runningEach: 1, runningFirst: 1, waiting: 100, waitingEach: 100 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const stuck = ['a', 'a', 'b', 'b'].map((namespace) => queue.run(namespace, () => promise));
    assert.deepEqual([queue.running, queue.waiting], [2, 2]);
    assert.equal(await queue.run('c', async () => 'done'), 'done');
    const third = queue.run('c', () => promise);
    const fourth = queue.run('d', () => promise);
    assert.deepEqual([queue.running, queue.waiting], [3, 3]);
    resolve();
    await Promise.all([...stuck, third, fourth]);
    assert.deepEqual([queue.running, queue.waiting], [0, 0]);
  });

  test('refuses more than may wait, of one and of all', async () => {
    const queue = new FairQueue({ running: 1, runningEach: 1, runningFirst: 0, waiting: 3, waitingEach: 2 });
    const { promise, resolve } = Promise.withResolvers<void>();
    const all = ['a', 'a', 'a'].map((namespace) => queue.run(namespace, () => promise));
    await assert.rejects(
      queue.run('a', async () => {}),
      { code: 'overloaded', message: /of namespace 'a'/ },
    );
    all.push(queue.run('b', () => promise));
    await assert.rejects(
      queue.run('c', async () => {}),
      { code: 'overloaded', message: /3 images wait/ },
    );
    resolve();
    await Promise.all(all);
  });

  test('goes on after a task that fails', async () => {
    const queue = new FairQueue({ running: 1, runningEach: 1, runningFirst: 0, waiting: 3, waitingEach: 3 });
    const failing = queue.run('a', async () => {
      await tick();
      throw new TypeError('no');
    });
    const next = queue.run('a', async () => 'done');
    await assert.rejects(failing, TypeError);
    assert.equal(await next, 'done');
  });
});
