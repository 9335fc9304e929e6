// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireError } from '../../wire/index.ts';
import { ClusterError } from './cluster-error.ts';
import { MemoryCluster, settle, TurnedClock } from './cluster.fixture.ts';
import { Collection } from './collection.ts';
import { listPages } from './list-pages.ts';

const PATH = '/api/v1/namespaces/gate/configmaps';

interface Scene {
  readonly cluster: MemoryCluster;
  readonly clock: TurnedClock;
  readonly collection: Collection;
  readonly problems: (string | undefined)[];
  changes(): number;
  stop(): Promise<void>;
}

async function watching(cluster: MemoryCluster = new MemoryCluster()): Promise<Scene> {
  cluster.lists.add(PATH);
  const clock = new TurnedClock();
  const problems: (string | undefined)[] = [];
  let changes = 0;
  const collection = new Collection({
    api: cluster,
    path: PATH,
    clock,
    random: () => 0.5,
    onChange: () => (changes += 1),
    onProblem: (problem) => problems.push(problem?.message),
  });
  const ended = new AbortController();
  const running = collection.run(ended.signal);
  await settle();
  return {
    cluster,
    clock,
    collection,
    problems,
    changes: () => changes,
    async stop() {
      ended.abort(new Error('the test ends'));
      await running;
    },
  };
}

const named = (name: string): { readonly metadata: { readonly name: string } } => ({ metadata: { name } });

suite('a collection', () => {
  test('has what was there, and follows what comes, changes and goes', async () => {
    const cluster = new MemoryCluster();
    cluster.put(PATH, named('a'));
    const { collection, changes, stop } = await watching(cluster);
    assert.equal(collection.loaded, true);
    assert.deepEqual([...collection.items.keys()], ['/a']);
    cluster.put(PATH, named('b'));
    cluster.remove(PATH, 'a');
    await settle();
    assert.deepEqual([...collection.items.keys()], ['/b']);
    assert.equal(changes(), 3);
    await stop();
  });

  test('goes on from where it was when a watch ends, and lists nothing anew', async () => {
    const { cluster, clock, collection, stop } = await watching();
    cluster.endWatches();
    await clock.turn(1000);
    cluster.put(PATH, named('late'));
    await settle();
    assert.deepEqual([...collection.items.keys()], ['/late']);
    assert.equal(cluster.calls.filter((call) => call === `GET ${PATH}`).length, 1);
    assert.equal(cluster.calls.filter((call) => call === `WATCH ${PATH}`).length, 2);
    await stop();
  });

  test('lists anew where what it has is too old to be known', async () => {
    const { cluster, clock, collection, problems, stop } = await watching();
    cluster.send(PATH, { type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old resource version' } });
    await settle();
    cluster.put(PATH, named('missed'));
    await clock.turn(1000);
    assert.deepEqual([...collection.items.keys()], ['/missed']);
    assert.equal(cluster.calls.filter((call) => call === `GET ${PATH}`).length, 2);
    assert.deepEqual(problems, []);
    await stop();
  });

  test('takes bookmarks for progress and for nothing else', async () => {
    const { cluster, collection, changes, stop } = await watching();
    cluster.send(PATH, { type: 'BOOKMARK', object: { metadata: { resourceVersion: '77' } } });
    await settle();
    assert.equal(collection.items.size, 0);
    assert.equal(changes(), 1);
    await stop();
  });

  test('keeps what it has while the cluster does not answer, says so, and asks again ever less often', async () => {
    const cluster = new MemoryCluster();
    cluster.put(PATH, named('a'));
    const { clock, collection, problems, stop } = await watching(cluster);
    cluster.before = () => {
      throw new WireError('unreachable', 'the connection was refused');
    };
    cluster.endWatches(new WireError('connection-reset', 'the connection was reset'));
    await settle();
    const before = cluster.calls.length;
    await clock.turn(60_000);
    const asked = cluster.calls.length - before;
    assert.ok(asked >= 3 && asked <= 10, `${asked} calls in a minute`);
    assert.deepEqual([...collection.items.keys()], ['/a']);
    assert.equal(collection.problem?.message, 'the connection was refused');
    cluster.before = () => undefined;
    await clock.turn(60_000);
    assert.deepEqual(problems, ['the connection was reset', 'the connection was refused', undefined]);
    await stop();
  });

  test('is not loaded before the first list is in', async () => {
    const cluster = new MemoryCluster();
    cluster.before = () => {
      throw new ClusterError('forbidden', 'configmaps is forbidden');
    };
    const { collection, problems, changes, stop } = await watching(cluster);
    assert.equal(collection.loaded, false);
    assert.equal(changes(), 0);
    assert.deepEqual(problems, ['configmaps is forbidden']);
    await stop();
  });

  test('lists everything anew now and then, whatever the watch has said', async () => {
    const { cluster, clock, stop } = await watching();
    await clock.turn(10 * 60_000);
    cluster.endWatches();
    await clock.turn(1000);
    assert.equal(cluster.calls.filter((call) => call === `GET ${PATH}`).length, 2);
    await stop();
  });

  for (const [what, event] of Object.entries({
    'an event that is no object': 7,
    'an event without an object': { type: 'ADDED' },
    'an object without a version': { type: 'ADDED', object: { metadata: { name: 'x' } } },
  }))
    test(`begins anew after ${what}`, async () => {
      const { cluster, clock, collection, problems, stop } = await watching();
      cluster.send(PATH, event);
      await settle();
      assert.equal(problems.length, 1);
      cluster.put(PATH, named('after'));
      await clock.turn(5000);
      assert.deepEqual([...collection.items.keys()], ['/after']);
      await stop();
    });
});

suite('a list in pages', () => {
  test('is read to its end', async () => {
    const cluster = new MemoryCluster();
    for (let at = 0; at < 1201; at++) cluster.put(PATH, named(`c${at}`));
    const names = new Set<string>();
    const version = await listPages(cluster, { path: PATH }, (object) => names.add(JSON.stringify(object)));
    assert.equal(names.size, 1201);
    assert.equal(version, '1201');
    assert.equal(cluster.calls.length, 3);
  });

  test('ends where a server gives pages without an end', async () => {
    const cluster = new MemoryCluster();
    cluster.call = async () => ({ metadata: { continue: 'more' }, items: [] });
    await assert.rejects(
      listPages(cluster, { path: PATH }, () => undefined),
      { code: 'answer-unusable' },
    );
  });
});
