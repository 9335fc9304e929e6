// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { WireError } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import { MemoryCluster, TurnedClock } from './cluster.fixture.ts';
import { LeaseElection } from './lease.ts';

const PATH = '/apis/coordination.k8s.io/v1/namespaces/gate/leases';

interface Replica {
  readonly election: LeaseElection;
  readonly changes: boolean[];
  stop(): Promise<void>;
}

function replica(cluster: MemoryCluster, clock: TurnedClock, identity: string): Replica {
  const changes: boolean[] = [];
  const election = new LeaseElection({
    api: cluster,
    clock,
    namespace: 'gate',
    name: 'lease',
    identity,
    onChange: (leading) => changes.push(leading),
  });
  const ended = new AbortController();
  const running = election.run(ended.signal);
  return {
    election,
    changes,
    async stop() {
      ended.abort(new Error('the test ends'));
      await running;
    },
  };
}

const holder = (cluster: MemoryCluster): string | undefined =>
  textOf(fieldOf(cluster.get(PATH, 'lease'), 'spec'), 'holderIdentity');

suite('an election', () => {
  test('is won by one of several, who keeps the lease', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const replicas = ['a', 'b', 'c'].map((name) => replica(cluster, clock, name));
    for (let round = 0; round < 30; round++) {
      await clock.turn(2000);
      assert.equal(replicas.filter(({ election }) => election.leading).length, 1);
    }
    assert.deepEqual(
      replicas.flatMap(({ changes }) => changes),
      [true],
    );
    for (const one of replicas) await one.stop();
  });

  test('is won by another at once when who had it ends', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const first = replica(cluster, clock, 'a');
    await clock.turn(1000);
    const second = replica(cluster, clock, 'b');
    await clock.turn(1000);
    await first.stop();
    assert.deepEqual(first.changes, [true, false]);
    assert.equal(holder(cluster), '');
    await clock.turn(5000);
    assert.equal(second.election.leading, true);
    await second.stop();
  });

  test('is won by another when who had it crashed, and not before its lease is over', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    cluster.put(PATH, { metadata: { name: 'lease' }, spec: { holderIdentity: 'gone', renewTime: 'long ago' } });
    const second = replica(cluster, clock, 'b');
    await clock.turn(14_000);
    assert.equal(second.election.leading, false);
    await clock.turn(10_000);
    assert.equal(second.election.leading, true);
    assert.equal(fieldOf(fieldOf(cluster.get(PATH, 'lease'), 'spec'), 'leaseTransitions'), 1);
    await second.stop();
  });

  test('does not rest on what another clock says', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const second = replica(cluster, clock, 'b');
    for (let at = 0; at < 20; at++) {
      cluster.put(PATH, {
        metadata: { name: 'lease' },
        spec: { holderIdentity: 'a', renewTime: `1999-01-01T00:00:${10 + at}Z` },
      });
      await clock.turn(4000);
      assert.equal(second.election.leading, false);
    }
    await second.stop();
  });

  test('is given up by who cannot renew, before another can win', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const first = replica(cluster, clock, 'a');
    await clock.turn(1000);
    cluster.before = () => {
      throw new WireError('unreachable', 'refused');
    };
    await clock.turn(8000);
    assert.equal(first.election.leading, true);
    await clock.turn(6000);
    assert.equal(first.election.leading, false);
    await first.stop();
  });

  test('has one winner where two write at the same moment', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    cluster.put(PATH, { metadata: { name: 'lease' }, spec: { holderIdentity: '' } });
    const replicas = ['a', 'b'].map((name) => replica(cluster, clock, name));
    await clock.turn(100);
    assert.equal(replicas.filter(({ election }) => election.leading).length, 1);
    for (const one of replicas) await one.stop();
  });
});
