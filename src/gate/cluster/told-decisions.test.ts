// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json } from '../../wire/index.ts';
import type { DecisionRecord, ImageDecision } from '../admission/ports.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import { MemoryCluster, TurnedClock } from './cluster.fixture.ts';
import { EventWriter, eventOf } from './event-writer.ts';
import { ReportWriter, reportOf } from './report-writer.ts';
import { statusOf } from './status-writer.ts';
import { WriteQueue } from './write-queue.ts';

const AT = new Date('2030-01-01T00:00:00.123Z');

function record(given: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    at: AT,
    review: 'r',
    endpoint: 'validate',
    dryRun: false,
    operation: 'CREATE',
    group: '',
    version: 'v1',
    kind: 'Pod',
    resource: 'pods',
    subResource: '',
    namespace: 'shop',
    name: 'web-1',
    generateName: '',
    objectUid: 'uid-1',
    owners: null,
    user: 'somebody',
    allowed: false,
    code: 'refused',
    message: 'spec.containers[0].image: app:1 is refused',
    warnings: [],
    images: [],
    milliseconds: 1,
    ...given,
  };
}

const owner: Json = [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'uid-rs', controller: true }];

function image(given: Partial<ImageDecision['decision']> = {}): ImageDecision {
  const policy = { policy: 'p', mode: 'enforce', outcome: 'trusted', code: 'met', message: 'key: sealed' } as const;
  const decision = {
    outcome: 'trusted',
    code: 'met',
    message: 'meets p',
    policies: [policy],
    evidence: [],
    warnings: [],
    signers: [],
    ...given,
  } as const;
  return { field: 'spec.containers[0].image', container: 'main', image: 'app:1', decision };
}

suite('an Event', () => {
  const about = (given: Partial<DecisionRecord>): unknown =>
    fieldOf(eventOf(record(given), 'me')?.event, 'involvedObject');

  test('stands where people look: at what would have made the object, at the object, else at the namespace', () => {
    assert.deepEqual(about({ owners: owner }), {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace: 'shop',
      name: 'web',
      uid: 'uid-rs',
    });
    assert.deepEqual(about({ operation: 'UPDATE' }), {
      apiVersion: 'v1',
      kind: 'Pod',
      namespace: 'shop',
      name: 'web-1',
      uid: 'uid-1',
    });
    assert.deepEqual(about({ name: '', generateName: 'x-' }), {
      apiVersion: 'v1',
      kind: 'Namespace',
      name: 'shop',
      namespace: 'shop',
    });
    assert.deepEqual(about({ group: 'apps', kind: 'Deployment' }), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'shop',
      name: 'web-1',
    });
  });

  test('says what was refused, undecided or warned of', () => {
    const reason = (given: Partial<DecisionRecord>): unknown => fieldOf(eventOf(record(given), 'me')?.event, 'reason');
    assert.equal(reason({}), 'ImageRefused');
    assert.equal(reason({ code: 'undecided' }), 'ImageUndecided');
    assert.equal(reason({ allowed: true, warnings: ['old'] }), 'ImageWarning');
  });

  test('is not made for a dry run, for what is well, and for what has no namespace', () => {
    for (const given of [
      { dryRun: true },
      { allowed: true },
      { allowed: true, warnings: ['x'], endpoint: 'mutate' },
      { namespace: '' },
    ] as const)
      assert.equal(eventOf(record(given), 'me'), undefined);
  });

  test('fits what the API server takes, on one line, whatever the message', () => {
    const { event } = eventOf(record({ message: 'x\n'.repeat(5000) }), 'me') ?? {};
    const message = textOf(event, 'message') ?? '';
    assert.ok(message.length <= 1024 && !message.includes('\n'));
  });

  test('is written once for the same, however often it happens', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const queue = new WriteQueue({ perSecond: 10, burst: 10, capacity: 10, clock });
    const writer = new EventWriter(cluster, queue, 'me');
    for (let again = 0; again < 20; again++) writer.decided(record({ owners: owner, name: '', generateName: 'web-' }));
    writer.decided(record({ at: new Date(AT.getTime() + 6 * 60_000), owners: owner, name: '', generateName: 'web-' }));
    await queue.drained();
    assert.deepEqual(
      cluster.calls,
      ['POST /api/v1/namespaces/shop/events', 'POST /api/v1/namespaces/shop/events'].slice(0, cluster.calls.length),
    );
    assert.ok(cluster.calls.length >= 1 && cluster.calls.length <= 2);
  });
});

suite('a report', () => {
  test('says of each policy whether the images of an admitted object meet it, and goes with the object', () => {
    const warned = { policy: 'w', mode: 'warn', outcome: 'refused', code: 'none-accepted', message: 'no' } as const;
    const policies = [...image().decision.policies, warned];
    const { body, name, namespace } = reportOf(record({ allowed: true, images: [image({ policies })] })) ?? {
      body: {},
      name: '',
      namespace: '',
    };
    assert.equal(namespace, 'shop');
    assert.match(name, /^bulla-[0-9a-f]{32}$/);
    assert.deepEqual(body['summary'], { pass: 1, warn: 1, fail: 0, error: 0, skip: 0 });
    assert.deepEqual(fieldOf(body['metadata'], 'ownerReferences'), [
      { apiVersion: 'v1', kind: 'Pod', name: 'web-1', uid: 'uid-1' },
    ]);
  });

  test('is not written for what was refused, for a dry run, by the first of two endpoints, and where nothing would take it away', () => {
    const good = { allowed: true, images: [image()] };
    assert.ok(reportOf(record(good)) !== undefined);
    for (const given of [
      { allowed: false },
      { dryRun: true },
      { endpoint: 'mutate' },
      { objectUid: '' },
      { namespace: '' },
      { images: [] },
    ] as const)
      assert.equal(reportOf(record({ ...good, ...given })), undefined);
  });

  test('is not asked for again and again in a cluster that has none', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const queue = new WriteQueue({ perSecond: 100, burst: 100, capacity: 100, clock });
    const writer = new ReportWriter(cluster, queue);
    for (let at = 0; at < 10; at++) writer.decided(record({ allowed: true, images: [image()], name: `web-${at}` }));
    await queue.drained();
    assert.deepEqual(cluster.calls, ['GET /apis/wgpolicyk8s.io/v1alpha2']);
  });

  test('is made once and then kept up to date', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    cluster.lists.add('/apis/wgpolicyk8s.io/v1alpha2');
    const queue = new WriteQueue({ perSecond: 100, burst: 100, capacity: 100, clock });
    const writer = new ReportWriter(cluster, queue);
    for (let again = 0; again < 2; again++) {
      writer.decided(record({ allowed: true, images: [image()] }));
      await queue.drained();
    }
    const methods = cluster.calls.map((call) => call.split(' ')[0]);
    assert.deepEqual(methods, ['GET', 'PATCH', 'POST', 'PATCH']);
  });
});

suite('a status', () => {
  const object = (status?: Json): Json => ({
    metadata: { name: 'p', generation: 3 },
    ...(status === undefined ? {} : { status }),
  });

  test('says since when an object is in force, and of which generation that is so', () => {
    assert.deepEqual(statusOf({ kind: 'policies', object: object(), remarks: [] }, AT), {
      status: {
        observedGeneration: 3,
        conditions: [
          {
            type: 'Ready',
            status: 'True',
            reason: 'InForce',
            message: 'in force',
            lastTransitionTime: '2030-01-01T00:00:00Z',
          },
        ],
      },
    });
  });

  test('is not written again where it stands there', () => {
    const written = statusOf({ kind: 'policies', object: object(), remarks: [] }, AT);
    const later = object(fieldOf(written, 'status'));
    assert.equal(statusOf({ kind: 'policies', object: later, remarks: [] }, new Date()), undefined);
    const changed = statusOf(
      { kind: 'policies', object: later, remarks: ['discouraged'] },
      new Date('2031-01-01T00:00:00Z'),
    );
    assert.match(JSON.stringify(changed), /InForceWithRemarks.*discouraged.*2030-01-01/);
    assert.match(
      JSON.stringify(
        statusOf({ kind: 'policies', object: later, remarks: [], problem: 'no key' }, new Date('2031-01-01T00:00:00Z')),
      ),
      /Unusable.*no key.*2031-01-01/,
    );
  });

  test('leaves the conditions of others alone', () => {
    const other = { type: 'KeysInlined', status: 'True' };
    assert.match(
      JSON.stringify(statusOf({ kind: 'policies', object: object({ conditions: [other] }), remarks: [] }, AT)),
      /KeysInlined/,
    );
  });
});
