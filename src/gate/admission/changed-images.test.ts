// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Json } from '../../wire/index.ts';
import { NAME, policyOf } from '../../policy/scene.fixture.ts';
import { GateScene, podOf, workloadOf, type Answered } from './gate.fixture.ts';

// Hazards of webhooks on UPDATE: everything that was let in, or was there before the gate, keeps working.

const STRICT = policyOf([{ static: { action: 'fail', message: 'never' } }], { images: [{ glob: '**' }] });
const PASS = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] });
const OLD = 'old.example/before/the-gate:1';

/** Both webhooks, over one change. */
async function update(
  gate: GateScene,
  oldObject: Json,
  object: Json,
  more: object = {},
): Promise<{ readonly mutated: Answered; readonly validated: Answered }> {
  const request = { operation: 'UPDATE', object, oldObject, ...more };
  return { mutated: await gate.review('mutate', request), validated: await gate.review('validate', request) };
}

describe('an update', () => {
  const KEEPS: Readonly<Record<string, readonly [Json, Json]>> = {
    'that labels a Job with immutable fields': [
      workloadOf('Job', [OLD]),
      workloadOf('Job', [OLD], { labels: { a: 'b' } }),
    ],
    'that suspends a Job': [workloadOf('Job', [OLD]), workloadOf('Job', [OLD], {}, { suspend: true })],
    'that annotates a Deployment': [
      workloadOf('Deployment', [OLD]),
      workloadOf('Deployment', [OLD], { annotations: { a: 'b' } }),
    ],
    'that scales a ReplicaSet': [
      workloadOf('ReplicaSet', [OLD], {}, { replicas: 1 }),
      workloadOf('ReplicaSet', [OLD], {}, { replicas: 9 }),
    ],
    'that labels a Pod': [podOf([OLD]), podOf([OLD], { labels: { a: 'b' } })],
    'of a Pod with an ephemeral container and an image volume by tag': [
      podOf(
        [OLD],
        {},
        {
          ephemeralContainers: [{ name: 'd', image: OLD }],
          volumes: [{ name: 'v', image: { reference: OLD } }],
        },
      ),
      podOf(
        [OLD],
        { labels: { a: 'b' } },
        {
          ephemeralContainers: [{ name: 'd', image: OLD }],
          volumes: [{ name: 'v', image: { reference: OLD } }],
        },
      ),
    ],
    'that removes a finalizer from a Pod that is being deleted': [
      podOf([OLD], { finalizers: ['a/b'], deletionTimestamp: '2026-01-01T00:00:00Z' }),
      podOf([OLD], { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ],
    'that puts containers into another order': [
      podOf([OLD, `${OLD}2`]),
      {
        ...(podOf([]) as object),
        spec: {
          containers: [
            { name: 'c1', image: `${OLD}2` },
            { name: 'c0', image: OLD },
          ],
        },
      },
    ],
    'that removes a container': [podOf([OLD, `${OLD}2`]), podOf([OLD])],
    'of a Rollout of which nothing changes but its steps': [
      workloadOf('Rollout', [OLD]),
      workloadOf('Rollout', [OLD], {}, { strategy: {} }),
    ],
  };
  for (const [name, [before, after]] of Object.entries(KEEPS))
    for (const mutate of ['pods', 'workloads'] as const)
      test(`${name} goes through untouched (--mutate ${mutate})`, async () => {
        const gate = await GateScene.create(STRICT, { mutate });
        const { mutated, validated } = await update(gate, before, after);
        assert.deepEqual([mutated.allowed, mutated.patch, mutated.warnings], [true, [], []]);
        assert.deepEqual([validated.allowed, validated.warnings], [true, []]);
        assert.deepEqual(gate.scene.calls, []);
      });

  test('goes through while policies are not loaded, if no image changes', async () => {
    const gate = await GateScene.create(STRICT);
    gate.set = undefined;
    const { validated } = await update(gate, podOf([OLD]), podOf([OLD], { labels: { a: 'b' } }));
    assert.equal(validated.allowed, true);
    assert.equal((await update(gate, podOf([OLD]), podOf([`${OLD}2`]))).validated.code, 503);
  });

  test('that changes one image is judged by that one alone', async () => {
    const gate = await GateScene.create(PASS);
    const request = { operation: 'UPDATE', oldObject: podOf([OLD, OLD]), object: podOf([OLD, `${NAME}:v1`]) };
    const { patch } = await gate.review('mutate', request);
    assert.deepEqual(
      patch.map(({ op, path }) => `${op} ${path}`),
      ['test /spec/containers/1/image', 'replace /spec/containers/1/image'],
    );
    const strict = await GateScene.create(STRICT);
    const { validated } = await update(strict, podOf([OLD, OLD]), podOf([OLD, gate.pinned]));
    assert.equal(validated.allowed, false);
    assert.match(validated.message, /containers\[1\]/);
    assert.doesNotMatch(validated.message, /containers\[0\]/);
  });

  test('that moves an image from one container to another is judged: it is another place', async () => {
    const gate = await GateScene.create(STRICT);
    const { validated } = await update(gate, podOf([OLD, 'b.example/x:1']), podOf([OLD, OLD]));
    assert.equal(validated.allowed, false);
  });

  test('that names a tag again keeps the digest that is there: the tag may be another image by now', async () => {
    const gate = await GateScene.create(STRICT, { mutate: 'workloads' });
    const pinned = `${OLD}@sha256:${'a'.repeat(64)}`;
    const oldObject = workloadOf('Deployment', [pinned]);
    const request = { operation: 'UPDATE', oldObject, object: workloadOf('Deployment', [OLD]) };
    assert.deepEqual((await gate.review('mutate', request)).patch.at(-1), {
      op: 'replace',
      path: '/spec/template/spec/containers/0/image',
      value: pinned,
    });
    assert.deepEqual(gate.scene.calls, []);
  });

  test('is not let through for a deletionTimestamp that its author wrote', async () => {
    const gate = await GateScene.create(STRICT);
    const object = podOf([OLD], { deletionTimestamp: '2026-01-01T00:00:00Z' });
    assert.equal((await gate.review('validate', { object })).allowed, false);
    const { validated } = await update(
      gate,
      podOf(['x.example/y:1'], { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      object,
    );
    assert.equal(validated.allowed, false);
  });

  test('of an old object that cannot be read is judged as if it were new', async () => {
    const gate = await GateScene.create(STRICT);
    const { validated } = await update(gate, podOf([], {}, { containers: 'x' }), podOf([OLD]));
    assert.equal(validated.allowed, false);
  });
});

describe('what changes no image', () => {
  test('is let through: DELETE, CONNECT, status, scale', async () => {
    const gate = await GateScene.create(STRICT);
    const object = podOf([OLD]);
    for (const request of [
      { operation: 'DELETE', object: null, oldObject: object },
      { operation: 'CONNECT', object: { kind: 'PodExecOptions', apiVersion: 'v1' }, subResource: 'exec' },
      { operation: 'UPDATE', object, oldObject: podOf(['x.example/y:1']), subResource: 'status' },
      {
        operation: 'UPDATE',
        object: { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: {} },
        oldObject: {},
        subResource: 'scale',
      },
      {
        operation: 'CREATE',
        object: { kind: 'Binding', apiVersion: 'v1', target: { name: 'n' } },
        subResource: 'binding',
      },
      { operation: 'CREATE', object: { kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'x' } } },
    ])
      for (const endpoint of ['mutate', 'validate'] as const)
        assert.equal((await gate.review(endpoint, request)).allowed, true, JSON.stringify(request));
  });
});
