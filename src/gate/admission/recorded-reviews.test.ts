// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { policyOf } from '../../policy/scene.fixture.ts';
import { answered, GateScene, type Answered } from './gate.fixture.ts';

// Reviews as an API server of 1.20 and the dispatcher of 1.36 sent them, with what another gate answered, which wrote a digest into everything.

interface Recorded {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly in: { readonly request: { readonly uid: string; readonly operation: string; readonly resource: object } };
  readonly out: { readonly response: { readonly allowed: boolean } };
}

const POLICIES =
  policyOf([{ static: { action: 'pass' } }], { images: [{ glob: 'reg.local/app**' }] }, 'app') +
  policyOf(
    [{ static: { action: 'fail', message: 'unsigned' } }],
    { images: [{ glob: 'reg.local/unsigned**' }] },
    'rest',
  );

async function replay(file: string): Promise<readonly (readonly [Recorded, Answered])[]> {
  const gate = await GateScene.create(POLICIES);
  for (const name of ['app', 'unsigned', 'unsigned-dbg', 'unsigned-model'])
    await gate.tag(`reg.local/${name}`, '1', '1.0', '2');
  const lines = readFileSync(new URL(`../../../test/golden/admission/${file}`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  const replayed: (readonly [Recorded, Answered])[] = [];
  for (const line of lines) {
    const recorded = JSON.parse(line) as Recorded;
    const { 'content-length': _, ...headers } = recorded.headers;
    replayed.push([recorded, answered(await gate.post(recorded.url, JSON.stringify(recorded.in), headers))]);
  }
  assert.deepEqual(gate.failures, []);
  return replayed;
}

describe('recorded reviews', () => {
  for (const [file, count] of [
    ['reviews-1.20.jsonl', 55],
    ['reviews-1.36.jsonl', 13],
  ] as const)
    test(`of ${file} are answered in the form that the API server takes`, async () => {
      const replayed = await replay(file);
      assert.equal(replayed.length, count);
      for (const [{ in: review, url }, answer] of replayed) {
        assert.equal(answer.status, 200);
        assert.equal(answer.apiVersion, 'admission.k8s.io/v1');
        assert.equal(answer.kind, 'AdmissionReview');
        assert.equal(answer.uid, review.request.uid);
        if (url.startsWith('/validate')) assert.deepEqual(answer.patch, []);
        if (!answer.allowed) assert.notEqual(answer.message, '');
      }
    });

  test('are let in and kept out as they were, but for the ephemeral container that slipped through', async () => {
    const differing: string[] = [];
    for (const file of ['reviews-1.20.jsonl', 'reviews-1.36.jsonl'])
      for (const [at, [{ url, out }, { allowed }]] of (await replay(file)).entries())
        if (out.response.allowed !== allowed) differing.push(`${file} ${at} ${url.split('?', 1)[0]} ${allowed}`);
    assert.deepEqual(differing, ['reviews-1.20.jsonl 19 /validate false']);
  });

  test('of objects whose images do not change are not patched, and only Pods are', async () => {
    for (const [{ url, in: review }, { patch }] of await replay('reviews-1.20.jsonl')) {
      if (patch.length === 0) continue;
      assert.ok(url.startsWith('/mutate'));
      assert.deepEqual(review.request.resource, { group: '', version: 'v1', resource: 'pods' });
      for (const { path } of patch) assert.match(path, /^\/spec\/containers\/\d+\/image$/);
    }
    const patched = (await replay('reviews-1.20.jsonl'))
      .map(([{ in: review }, { patch }], at) => (patch.length === 0 ? '' : `${at} ${review.request.operation}`))
      .filter((line) => line !== '');
    // 26 and 27 change the image of a Pod; labels, finalizers and annotations (12, 31 to 46) change nothing
    assert.deepEqual(patched, [
      '0 CREATE',
      '26 UPDATE',
      '27 UPDATE',
      '28 CREATE',
      '30 CREATE',
      '47 CREATE',
      '49 CREATE',
    ]);
  });
});
