// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NAME, policyOf } from '../../policy/scene.fixture.ts';
import { answered, GateScene, podOf, reviewOf, textOf, workloadOf } from './gate.fixture.ts';

const PASS = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] });
const UID = 'c0ffee';
const request = (change: object): string => {
  const { request: whole, ...review } = reviewOf({ object: podOf([`${NAME}:v1`]) }) as { request: object };
  return JSON.stringify({ ...review, request: { ...whole, uid: UID, ...change } });
};
const whole = (change: object): string => JSON.stringify({ ...JSON.parse(request({})), ...change });

describe('what is no review', () => {
  const WITHOUT_UID: Readonly<Record<string, readonly [string, number]>> = {
    'not JSON': ['{"kind":', 400],
    'not UTF-8': ['\u0000\u0001', 400],
    nothing: ['', 400],
    'a list': ['[]', 400],
    'no request': [whole({ request: null }), 400],
    'no uid': [request({ uid: undefined }), 400],
    'a uid that is a number': [request({ uid: 7 }), 400],
    'an endless uid': [request({ uid: 'x'.repeat(10_000) }), 400],
    'another kind, with nothing to answer to': ['{"kind":"Pod","apiVersion":"v1","spec":{}}', 400],
    'a body that nests a thousand levels deep': [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
    'a body of 10 MB': [request({ object: { data: 'x'.repeat(10_000_000) } }), 413],
    'a body of a million values': [request({ object: { data: Array.from({ length: 1_000_000 }, () => 0) } }), 413],
  };
  for (const [name, [body, status]] of Object.entries(WITHOUT_UID))
    test(`${name}: is answered by HTTP ${status}, which the failure policy denies`, async () => {
      const gate = await GateScene.create(PASS);
      for (const endpoint of ['/mutate', '/validate']) {
        const reply = await gate.post(`${endpoint}?timeout=10s`, body);
        assert.equal(reply.status, status);
        assert.doesNotMatch(textOf(reply), /allowed/);
      }
      assert.deepEqual(gate.failures, []);
    });

  const WITH_UID: Readonly<Record<string, string>> = {
    'another kind': whole({ kind: 'Pod' }),
    'another version': whole({ apiVersion: 'admission.k8s.io/v2' }),
    'version v1beta1': whole({ apiVersion: 'admission.k8s.io/v1beta1' }),
    'no version': whole({ apiVersion: undefined }),
    'no object': request({ object: null }),
    'an object that is a text': request({ object: 'pod' }),
    'an update without what was before': request({ operation: 'UPDATE', oldObject: null }),
    'an operation that is none': request({ operation: 'PATCH' }),
    'no operation': request({ operation: undefined }),
    'no resource': request({ resource: undefined }),
    'a kind that is a text': request({ kind: 'Pod' }),
    'a dry run that is a text': request({ dryRun: 'yes' }),
    'a user that is a list': request({ userInfo: [] }),
    'a namespace that is a number': request({ namespace: 1 }),
    'containers that are a text': request({ object: podOf([], {}, { containers: 'x' }) }),
    'a container that is a text': request({ object: podOf([], {}, { containers: ['x'] }) }),
    'an image that is a number': request({ object: podOf([], {}, { containers: [{ name: 'c', image: 5 }] }) }),
    '5,000 containers': request({ object: podOf(Array.from({ length: 5000 }, (_, at) => `r.example/x:${at}`)) }),
    '5,000 containers in a workload': request({
      object: workloadOf(
        'Deployment',
        Array.from({ length: 5000 }, () => `${NAME}:v1`),
      ),
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    }),
    'an image that is none': request({ object: podOf(['UPPER CASE: not an image']) }),
    'an image with a digest that is none': request({ object: podOf([`${NAME}@sha256:xyz`]) }),
    'an image of ten thousand characters': request({ object: podOf([`r.example/${'x'.repeat(10_000)}`]) }),
  };
  for (const [name, body] of Object.entries(WITH_UID))
    test(`${name}: is denied in a review`, async () => {
      const gate = await GateScene.create(PASS);
      for (const endpoint of ['/mutate', '/validate']) {
        const answer = answered(await gate.post(`${endpoint}?timeout=10s`, body));
        assert.equal(answer.status, 200, endpoint);
        assert.equal(answer.uid, UID);
        assert.equal(answer.allowed, false, endpoint);
        assert.ok(answer.message !== '' && answer.message.length <= 4096 && !answer.message.includes('\n'));
      }
      assert.deepEqual(gate.failures, []);
    });

  test('of another type, method or path is refused by HTTP', async () => {
    const gate = await GateScene.create(PASS);
    assert.equal((await gate.post('/validate', request({}), { 'content-type': 'text/plain' })).status, 415);
    assert.equal((await gate.post('/validate', request({}), {})).status, 415);
    assert.equal((await gate.post('/other', request({}))).status, 404);
    const { service } = gate.gate;
    const none = (async function* (): AsyncIterable<Uint8Array> {})();
    const get = await service.answer({ method: 'GET', target: '/validate', headers: {}, body: none });
    assert.equal(get.status, 405);
  });

  test('never crashes the gate, and is never let in, whatever it is', async () => {
    const gate = await GateScene.create(policyOf([{ static: { action: 'fail' } }], { images: [{ glob: '**' }] }));
    await fc.assert(
      fc.asyncProperty(
        fc.json({ maxDepth: 5 }),
        fc.constantFrom('object', 'oldObject', 'kind', 'resource', 'userInfo'),
        async (value, field) => {
          const body = request({ operation: 'UPDATE', oldObject: {}, [field]: JSON.parse(value) as object });
          const answer = answered(await gate.post('/validate', body));
          assert.equal(answer.status, 200);
          // a value that is an object without images has nothing to judge
          if (field !== 'object' && field !== 'oldObject') assert.equal(answer.allowed, false);
        },
      ),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const reply = await gate.post('/validate', bytes);
        assert.ok(reply.status === 400 || reply.status === 200);
        assert.doesNotMatch(textOf(reply), /"allowed":true/);
      }),
      { numRuns: 200 },
    );
    assert.deepEqual(gate.failures, []);
  });
});

test('a fault of the gate denies, says nothing of itself, and is told to the log', async () => {
  const gate = await GateScene.create(PASS);
  gate.restart({
    credentials: {
      scopeOf: () => {
        throw new TypeError('x is not a function in /srv/secret');
      },
    },
  });
  for (const endpoint of ['mutate', 'validate'] as const) {
    const { allowed, code, message } = await gate.review(endpoint, { object: podOf([`${NAME}:v1`]) });
    assert.equal(allowed, false);
    assert.equal(code, 500);
    assert.doesNotMatch(message, /secret/);
  }
  assert.equal(gate.failures.length, 2);
});
