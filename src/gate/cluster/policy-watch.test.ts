// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireError, type Json } from '../../wire/index.ts';
import { MemoryCluster, settle, TurnedClock } from './cluster.fixture.ts';
import { ClusterError } from './cluster-error.ts';
import { inspectCluster } from './inspect-cluster.ts';
import { PolicyWatch } from './policy-watch.ts';
import { listPath, POLICY_KINDS, type PolicyKind } from './resource-kinds.ts';

const KINDS = Object.keys(POLICY_KINDS) as readonly PolicyKind[];
const pathOf = (kind: PolicyKind): string => listPath(POLICY_KINDS[kind], 'gate');

const policy = (name: string, glob = '**', action = 'pass'): { readonly [key: string]: Json } => ({
  metadata: { name, generation: 1 },
  spec: { images: [{ glob }], authorities: [{ static: { action } }] },
});

interface Scene {
  readonly cluster: MemoryCluster;
  readonly clock: TurnedClock;
  readonly watch: PolicyWatch;
  readonly troubles: string[];
  compiled(): number;
  stop(): Promise<void>;
}

async function watching(
  given: { readonly cluster?: MemoryCluster; readonly surroundings?: () => Promise<object> } = {},
): Promise<Scene> {
  const { cluster = new MemoryCluster(), surroundings = async () => ({}) } = given;
  for (const kind of KINDS) cluster.lists.add(pathOf(kind));
  const clock = new TurnedClock();
  const troubles: string[] = [];
  let compiled = 0;
  const watch = new PolicyWatch({
    api: cluster,
    namespace: 'gate',
    clock,
    random: () => 0.5,
    surroundings,
    onCompiled: () => (compiled += 1),
    onTrouble: (message) => troubles.push(message),
  });
  const ended = new AbortController();
  const running = watch.run(ended.signal);
  await settle();
  return {
    cluster,
    clock,
    watch,
    troubles,
    compiled: () => compiled,
    async stop() {
      ended.abort(new Error('the test ends'));
      await running;
    },
  };
}

const names = (watch: PolicyWatch): readonly string[] | undefined =>
  watch.current()?.set.policies.map(({ name }) => name);

suite('the policies of a watched cluster', () => {
  test('are not in force before every kind of object was listed once', async () => {
    const cluster = new MemoryCluster();
    cluster.before = ({ path }) => {
      if (path === pathOf('exceptions')) throw new ClusterError('forbidden', 'exceptions are forbidden');
    };
    const { clock, watch, stop } = await watching({ cluster });
    await clock.turn(5000);
    assert.equal(watch.current(), undefined);
    assert.match(watch.pending(), /exceptions are forbidden: apply the roles/);
    cluster.before = () => undefined;
    await clock.turn(60_000);
    assert.deepEqual(names(watch), []);
    assert.equal(watch.pending(), '');
    await stop();
  });

  test('are missed by name where the cluster does not know them', async () => {
    const cluster = new MemoryCluster();
    cluster.before = ({ path }) => {
      if (path === pathOf('policies')) throw new ClusterError('not-found', 'no such thing');
    };
    const { clock, watch, stop } = await watching({ cluster });
    await clock.turn(5000);
    assert.match(watch.pending(), /no clusterimagepolicies .*: apply what 'bulla admission install' prints/);
    await stop();
  });

  test('are compiled once for changes that come together', async () => {
    const { cluster, clock, watch, compiled, stop } = await watching();
    await clock.turn(1000);
    const before = compiled();
    for (let at = 0; at < 20; at++) cluster.put(pathOf('policies'), policy(`p${at}`));
    await clock.turnUntil(() => names(watch)?.length === 20);
    assert.equal(compiled(), before + 1);
    await stop();
  });

  test('stay the same object for what does not matter: a status, a label, a Secret that no policy names', async () => {
    const { cluster, clock, watch, compiled, stop } = await watching();
    cluster.put(pathOf('policies'), policy('p'));
    await clock.turnUntil(() => names(watch)?.length === 1);
    const [current, count] = [watch.current(), compiled()];
    const found = cluster.get(pathOf('policies'), 'p') ?? {};
    cluster.put(pathOf('policies'), { ...found, status: { conditions: [] } });
    await clock.turn(2000);
    assert.equal(compiled(), count);
    cluster.put(pathOf('secrets'), { metadata: { name: 'other', namespace: 'gate' }, data: { x: 'eA==' } });
    await clock.turn(2000);
    assert.equal(watch.current(), current);
    await stop();
  });

  test('are another object where one of them changes', async () => {
    const { cluster, clock, watch, stop } = await watching();
    cluster.put(pathOf('policies'), policy('p'));
    await clock.turnUntil(() => names(watch)?.length === 1);
    const before = watch.current();
    cluster.put(pathOf('policies'), policy('p', '**', 'fail'));
    await clock.turnUntil(() => watch.current() !== before);
    await stop();
  });

  test('stay in force while the cluster does not answer, which is told', async () => {
    const { cluster, clock, watch, troubles, stop } = await watching();
    cluster.put(pathOf('policies'), policy('p'));
    await clock.turnUntil(() => names(watch)?.length === 1);
    cluster.before = () => {
      throw new WireError('unreachable', 'the connection was refused');
    };
    cluster.endWatches(new WireError('connection-reset', 'reset'));
    await clock.turn(30 * 60_000);
    assert.deepEqual(names(watch), ['p']);
    assert.equal(watch.problems().length, KINDS.length);
    assert.ok(troubles.some((line) => line.includes('refused')));
    await stop();
  });

  test('are out of force where nobody knows what they say, and tried again', async () => {
    let broken = false;
    const { cluster, clock, watch, stop } = await watching({
      surroundings: async () => {
        if (broken) throw new Error('no engines');
        return {};
      },
    });
    cluster.put(pathOf('policies'), policy('p'));
    await clock.turnUntil(() => names(watch)?.length === 1);
    broken = true;
    cluster.put(pathOf('policies'), policy('q'));
    await clock.turnUntil(() => watch.current() === undefined);
    assert.match(watch.pending(), /no engines/);
    broken = false;
    await clock.turnUntil(() => names(watch)?.length === 2);
    await stop();
  });

  test('are prepared anew now and then: what a TUF repository says may have changed', async () => {
    let asked = 0;
    const { clock, watch, stop } = await watching({
      surroundings: async () => {
        asked += 1;
        return {};
      },
    });
    await clock.turnUntil(() => watch.current() !== undefined);
    const [before, current] = [asked, watch.current()];
    await clock.turn(30 * 60_000);
    assert.equal(asked, before);
    await clock.turn(35 * 60_000);
    assert.ok(asked > before);
    assert.equal(watch.current(), current);
    await stop();
  });
});

suite('an inspection of a cluster', () => {
  const DEFINITION = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const definition = (spec: Json): { readonly [key: string]: Json } => ({
    metadata: { name: 'clusterimagepolicies.policy.sigstore.dev' },
    spec: { versions: [{ name: 'v1beta1', schema: { openAPIV3Schema: { properties: { spec } } } }] },
  });

  async function found(spec: Json, minor = '36'): Promise<readonly string[]> {
    const cluster = new MemoryCluster();
    cluster.put(DEFINITION, definition(spec));
    const { call } = cluster;
    cluster.call = async (asked) =>
      asked.path === '/version' ? { major: '1', minor } : await call.call(cluster, asked);
    return await inspectCluster(cluster, true);
  }

  test('finds a definition that lets go of fields', async () => {
    const [first = '', ...others] = await found({ type: 'object', properties: {} });
    assert.match(first, /lets go of fields that it does not know/);
    assert.deepEqual(others, []);
  });

  test('finds nothing where ours is', async () => {
    assert.deepEqual(await found({ 'x-kubernetes-preserve-unknown-fields': true }), []);
    assert.deepEqual(await found({ 'x-kubernetes-preserve-unknown-fields': true }, '21+'), []);
    assert.deepEqual(await inspectCluster(new MemoryCluster(), false), []);
  });

  test('finds an API server that does not guard the label of namespaces', async () => {
    assert.match((await found({ 'x-kubernetes-preserve-unknown-fields': true }, '20'))[0] ?? '', /older than 1\.21/);
  });
});
