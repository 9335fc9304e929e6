// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Repository } from '../../oci/index.ts';
import { NAME, newSigner, policyOf } from '../../policy/scene.fixture.ts';
import { encodePublicKey } from '../../trust/index.ts';
import { GateScene, podOf, workloadOf } from './gate.fixture.ts';
import { reviewBudget } from './review-deadline.ts';

const signer = await newSigner();
const SEALED = policyOf([{ key: { data: encodePublicKey(signer.publicKey) } }], {}, 'sealed');
const never = new Promise<never>(() => {});

describe('the time of a review', () => {
  test('is what the API server says, without what the answer needs on its way', () => {
    for (const [query, budget] of [
      ['?timeout=10s', 9700],
      ['?timeout=1s', 700],
      ['?timeout=2.5s', 2200],
      ['?a=b&timeout=30s&c', 29_700],
      ['?timeout=500ms', 250],
      ['?timeout=1m0s', 29_700],
      ['', 9700],
      ['?timeout=', 9700],
      ['?timeout=-5s', 9700],
      ['?timeout=0s', 9700],
      ['?timeout=5', 9700],
      ['?timeout=31s', 29_700],
      ['?timeout=0', 9700],
      ['?timeout=%31s', 9700],
      ['?timeout=5s&timeout=30s', 4700],
      ['?xtimeout=1s', 9700],
      ['?timeout=999999999999s', 9700],
      [`?timeout=${'9'.repeat(5000)}s`, 9700],
    ] as const)
      assert.equal(reviewBudget(`/validate${query}`), budget, query);
  });

  test('ends with a clean denial where a registry never answers, by either webhook', async () => {
    const gate = await GateScene.create(SEALED);
    const stuck = {
      name: NAME,
      resolve: () => never,
      manifest: () => never,
      referrers: () => never,
    } as unknown as Repository;
    gate.restart({ credentials: { scopeOf: () => ({ key: 'k', open: async () => stuck }) } });
    const asked = await Promise.all([
      gate.review('mutate', { object: podOf([`${NAME}:v1`]) }, '?timeout=100ms'),
      gate.review('validate', { object: podOf([`${NAME}:v1`]) }, '?timeout=100ms'),
      gate.review('validate', { object: podOf([gate.pinned]) }, '?timeout=100ms'),
      gate.review('validate', { object: workloadOf('Deployment', [`${NAME}:v1`]) }, '?timeout=100ms'),
    ]);
    for (const { status, allowed, code, message } of asked) {
      assert.deepEqual([status, allowed, code], [200, false, 503]);
      assert.match(message, /no answer within the 50 ms that the API server leaves for it/);
    }
  });

  test('ends with a clean denial where the process itself stood still meanwhile', async () => {
    const gate = await GateScene.create(SEALED);
    gate.restart({ credentials: { scopeOf: () => ({ key: 'k', open: () => never }) } });
    const asked = (['mutate', 'validate'] as const).map((endpoint) =>
      gate.review(endpoint, { object: podOf([`${NAME}:v1`, gate.pinned]) }, '?timeout=200ms'),
    );
    await new Promise((done) => setImmediate(done));
    for (const end = performance.now() + 400; performance.now() < end;);
    for (const { status, allowed, code } of await Promise.all(asked))
      assert.deepEqual([status, allowed, code], [200, false, 503]);
  });

  test('ends with a clean denial where pull secrets cannot be read in time', async () => {
    const gate = await GateScene.create(SEALED);
    gate.restart({ credentials: { scopeOf: () => never } });
    for (const endpoint of ['mutate', 'validate'] as const) {
      const { allowed, code, message } = await gate.review(
        endpoint,
        { object: podOf([`${NAME}:v1`]) },
        '?timeout=100ms',
      );
      assert.deepEqual([allowed, code], [false, 503]);
      assert.match(message, /no answer within/);
    }
  });

  test('is each one’s own: who has more waits on, and one verification serves them all', async () => {
    const gate = await GateScene.create(SEALED);
    await gate.scene.sign(signer);
    gate.scene.calls.length = 0;
    const { promise: opened, resolve: open } = Promise.withResolvers<Repository>();
    gate.restart({ credentials: { scopeOf: () => ({ key: 'k', open: () => opened }) } });
    const object = podOf([gate.pinned]);
    const patient = Array.from({ length: 50 }, () => gate.review('validate', { object }, '?timeout=30s'));
    const hasty = await gate.review('validate', { object }, '?timeout=100ms');
    assert.equal(hasty.allowed, false);
    open(gate.scene.repository);
    for (const { allowed } of await Promise.all(patient)) assert.equal(allowed, true);
    assert.equal(gate.scene.calls.filter(({ method }) => method === 'referrers').length, 1);
  });
});
