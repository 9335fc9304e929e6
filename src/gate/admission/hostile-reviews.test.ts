// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Json } from '../../wire/index.ts';
import { NAME, newSigner, policyOf } from '../../policy/scene.fixture.ts';
import { encodePublicKey } from '../../trust/index.ts';
import { answered, GateScene, podOf, reviewOf, textOf, workloadOf, type Answered } from './gate.fixture.ts';

// Reviews that no API server sends, or that one sends for somebody who wants an image in that the policies do not.

const NEVER = policyOf([{ static: { action: 'fail', message: 'never' } }], { images: [{ glob: '**' }] });
const PASS = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] });
const OLD = 'old.example/before/the-gate:1';
const EVIL = `evil.example/x@sha256:${'e'.repeat(64)}`;
const signer = await newSigner();
const SEALED = policyOf([{ key: { data: encodePublicKey(signer.publicKey) } }], {}, 'sealed');

/** The text of a review in which one thing is as no encoder writes it. */
const written = (request: object, from: string, to: string): string =>
  JSON.stringify(reviewOf(request)).replace(from, to);

async function denied(gate: GateScene, request: object): Promise<Answered> {
  const answer = await gate.review('validate', request);
  assert.deepEqual([answer.status, answer.allowed], [200, false], JSON.stringify(request).slice(0, 500));
  assert.notEqual(answer.message, '');
  return answer;
}

describe('an object that says it is another than the review', () => {
  const pod = podOf([EVIL]) as { readonly [key: string]: Json };
  const PODS = { group: '', version: 'v1', resource: 'pods' };
  const OTHERS: Readonly<Record<string, object>> = {
    'a definition of custom resources': { ...pod, kind: 'CustomResourceDefinition' },
    'a list': { ...pod, kind: 'PodList', items: [] },
    'another kind, whose pod stands elsewhere': { ...pod, apiVersion: 'batch/v1', kind: 'Job' },
    'another group': { ...pod, apiVersion: 'evil.example/v1' },
    'another version': { ...pod, apiVersion: 'v2' },
    'a kind that is no text': { ...pod, kind: ['Pod'] },
    'another case': { ...pod, kind: 'pod' },
  };
  for (const [name, object] of Object.entries(OTHERS))
    test(`${name}: is denied, as what is and as what was`, async () => {
      const gate = await GateScene.create(PASS);
      const kind = { group: '', version: 'v1', kind: 'Pod' };
      const is = await denied(gate, { object, kind, resource: PODS });
      assert.match(is.message, /as in request\.kind/);
      const was = { operation: 'UPDATE', object: pod, oldObject: object, kind, resource: PODS };
      assert.match((await denied(gate, was)).message, /request\.oldObject\./);
    });

  test('is judged as what the review says where it says nothing', async () => {
    const gate = await GateScene.create(NEVER);
    const { apiVersion: _, kind: _kind, ...bare } = pod;
    await denied(gate, { object: bare, kind: { group: '', version: 'v1', kind: 'Pod' }, resource: PODS });
    await denied(gate, { object: { spec: { containers: [{ name: 'a' }] } }, resource: PODS });
  });

  test('is denied where kind and resource of the review are not one', async () => {
    const gate = await GateScene.create(PASS);
    const job = workloadOf('Job', [EVIL]);
    assert.match((await denied(gate, { object: job, resource: PODS })).message, /expected Pod/);
    // a Pod is a Pod, by whatever resource: it must have a digest
    const other = { group: '', version: 'v1', resource: 'others' };
    await denied(gate, { object: podOf([`${NAME}:v1`]), resource: other });
  });
});

describe('a custom resource', () => {
  test('that is called a list, or a definition, and runs something besides its items, is judged by that', async () => {
    const gate = await GateScene.create(NEVER);
    const template = { spec: { containers: [{ name: 'a', image: EVIL }] } };
    for (const kind of ['AllowList', 'List', 'CustomResourceDefinition']) {
      const object = { apiVersion: 'x.example/v1', kind, metadata: { name: 'x' }, items: [{}], spec: { template } };
      assert.match((await denied(gate, { object })).message, /spec\.template\.spec\.containers\[0\]\.image/);
    }
  });

  test('of which two parts have containers of one name is judged by each in its place', async () => {
    const gate = await GateScene.create(NEVER);
    const workflow = (...images: readonly string[]): Json => ({
      apiVersion: 'argoproj.io/v1alpha1',
      kind: 'Workflow',
      metadata: { name: 'w' },
      spec: { templates: images.map((image) => ({ container: { name: 'main', image } })) },
    });
    const request = { operation: 'UPDATE', oldObject: workflow(OLD, EVIL), object: workflow(EVIL, OLD) };
    assert.match((await denied(gate, request)).message, /templates\[0\]/);
    const same = { operation: 'UPDATE', oldObject: workflow(OLD, EVIL), object: workflow(OLD, EVIL) };
    assert.equal((await gate.review('validate', same)).allowed, true);
  });

  test('that cannot be read, and was there before, can be labelled and let go, and not changed', async () => {
    const gate = await GateScene.create(NEVER);
    let deep: Json = {};
    for (let depth = 0; depth < 100; depth++) deep = { deep };
    const odd = (spec: Json, metadata: object): object => ({ apiVersion: 'x.example/v1', kind: 'Odd', metadata, spec });
    for (const spec of [deep, { containers: [{ image: 5 }] }]) {
      const oldObject = odd(spec, { name: 'x', finalizers: ['a/b'], deletionTimestamp: '2026-01-01T00:00:00Z' });
      const object = odd(spec, { name: 'x', deletionTimestamp: '2026-01-01T00:00:00Z' });
      for (const endpoint of ['mutate', 'validate'] as const)
        assert.equal((await gate.review(endpoint, { operation: 'UPDATE', oldObject, object })).allowed, true);
      await denied(gate, { object });
      await denied(gate, { operation: 'UPDATE', oldObject, object: odd({ ...(spec as object), more: 1 }, {}) });
    }
  });
});

describe('an update that', () => {
  const debug = (image: string): object => ({ ephemeralContainers: [{ name: 'd', image }] });
  const DENIED: Readonly<Record<string, readonly [Json, Json, object?]>> = {
    'renames a container': [podOf([EVIL]), podOf([], {}, { containers: [{ name: 'other', image: EVIL }] })],
    'moves a container to the init containers': [
      podOf([EVIL]),
      podOf([], {}, { initContainers: [{ name: 'c0', image: EVIL }] }),
    ],
    'moves a container to the ephemeral ones': [
      podOf([EVIL]),
      podOf([], {}, { ephemeralContainers: [{ name: 'c0', image: EVIL }] }),
    ],
    'moves a container to a volume': [
      podOf([EVIL]),
      podOf([], {}, { volumes: [{ name: 'c0', image: { reference: EVIL } }] }),
    ],
    'adds a debug container by the subresource': [
      podOf([OLD]),
      podOf([OLD], {}, debug(EVIL)),
      { subResource: 'ephemeralcontainers' },
    ],
    'changes the image by the subresource for resources': [podOf([OLD]), podOf([EVIL]), { subResource: 'resize' }],
    'changes a digest and keeps the tag': [
      podOf([`${NAME}:1@sha256:${'a'.repeat(64)}`]),
      podOf([`${NAME}:1@sha256:${'b'.repeat(64)}`]),
    ],
    'writes a digest of its own beside the tag that is there': [
      workloadOf('Deployment', [`${NAME}:1`]),
      workloadOf('Deployment', [`${NAME}:1@sha256:${'b'.repeat(64)}`]),
    ],
    'begins as the old image does': [
      podOf([`${OLD}@sha256:${'a'.repeat(64)}`]),
      podOf([`${OLD}@sha256:${'a'.repeat(63)}`]),
    ],
    'names the image that another container had': [podOf([OLD, EVIL]), podOf([EVIL, EVIL])],
  };
  for (const [name, [oldObject, object, more = {}]] of Object.entries(DENIED))
    test(`${name} is judged`, async () => {
      for (const mutate of ['pods', 'workloads', 'none'] as const) {
        const gate = await GateScene.create(NEVER, { mutate });
        const request = { operation: 'UPDATE', oldObject, object, ...more };
        await denied(gate, request);
        assert.deepEqual((await gate.review('mutate', request)).patch, []);
      }
    });

  const UNTOUCHED: Readonly<Record<string, object>> = {
    'pull secrets': { imagePullSecrets: [{ name: 'mine' }] },
    'service account': { serviceAccountName: 'admin' },
    'priority and tolerations': { priority: 5, tolerations: [{ operator: 'Exists' }] },
  };
  for (const [name, spec] of Object.entries(UNTOUCHED))
    test(`changes the ${name} and no image asks no registry with anybody's secrets`, async () => {
      const gate = await GateScene.create(NEVER);
      const request = { operation: 'UPDATE', oldObject: podOf([OLD]), object: podOf([OLD], {}, spec) };
      assert.equal((await gate.review('validate', request)).allowed, true);
      assert.deepEqual(gate.scene.calls, []);
    });
});

describe('a new Pod', () => {
  test('with an ephemeral container, which only an update may bring, is judged by it', async () => {
    const gate = await GateScene.create(SEALED);
    await gate.scene.sign(signer);
    const object = podOf([gate.pinned], {}, { ephemeralContainers: [{ name: 'd', image: EVIL }] });
    assert.match((await denied(gate, { object })).message, /spec\.ephemeralContainers\[0\]\.image/);
  });

  test('whose name is still to be made is told of by how it begins', async () => {
    const gate = await GateScene.create(NEVER);
    await denied(gate, { object: podOf([EVIL], { name: undefined, generateName: 'web-' }), name: undefined });
    await new Promise((done) => setImmediate(done));
    assert.deepEqual([gate.records[0]?.name, gate.records[0]?.generateName], ['', 'web-']);
  });

  test('by a binding, an eviction or a scale brings no image, and cannot', async () => {
    const gate = await GateScene.create(NEVER);
    for (const [object, subResource] of [
      [{ apiVersion: 'v1', kind: 'Binding', metadata: {}, target: { name: 'n' } }, 'binding'],
      [{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: {} }, 'eviction'],
    ] as const) {
      const resource = { group: '', version: 'v1', resource: 'pods' };
      assert.equal((await gate.review('validate', { object, subResource, resource })).allowed, true);
      // and what comes along in one is judged
      const spec = { containers: [{ name: 'a', image: EVIL }] };
      await denied(gate, { object: { ...object, spec }, subResource, resource });
    }
  });
});

describe('a body that no encoder writes', () => {
  test('with a member twice is read as the API server would: the last one counts', async () => {
    const gate = await GateScene.create(SEALED);
    await gate.scene.sign(signer);
    const image = `"image":"${gate.pinned}"`;
    for (const [twice, allowed] of [
      [`"image":"${EVIL}",${image}`, true],
      [`${image},"image":"${EVIL}"`, false],
    ] as const) {
      const body = written({ object: podOf([gate.pinned]) }, image, twice);
      assert.equal(answered(await gate.post('/validate', body)).allowed, allowed);
    }
    const object = written(
      { object: podOf([gate.pinned]) },
      '"resource"',
      `"object":${JSON.stringify(podOf([EVIL]))},"resource"`,
    );
    assert.equal(answered(await gate.post('/validate', object)).allowed, false);
  });

  test('with members that every object has by itself hides nothing', async () => {
    const gate = await GateScene.create(NEVER);
    const hidden = JSON.stringify({ containers: [], spec: {}, image: 'x', groups: ['system:nodes'] });
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty'])
      for (const place of ['"spec":{', '"request":{', '"metadata":{', '"userInfo":{', '{"name":"c0",']) {
        const body = written({ object: podOf([`${NAME}:v1`]) }, place, `${place}"${name}":${hidden},`);
        assert.ok(body.includes(`"${name}":`), place);
        const answer = answered(await gate.post('/validate', body));
        assert.deepEqual([answer.status, answer.allowed], [200, false], body);
      }
    assert.deepEqual(gate.failures, []);
  });

  test('with numbers that are none is answered', async () => {
    const gate = await GateScene.create(NEVER);
    for (const number of ['1e999', '-1e999', '9'.repeat(5000), '0.1e-400', '-0', '9007199254740993']) {
      const body = written({ object: podOf([EVIL], {}, { priority: 7 }) }, '"priority":7', `"priority":${number}`);
      assert.equal(answered(await gate.post('/validate', body)).allowed, false);
      const image = written({ object: podOf([EVIL]) }, `"image":"${EVIL}"`, `"image":${number}`);
      assert.equal(answered(await gate.post('/validate', image)).code, 400);
    }
    assert.deepEqual(gate.failures, []);
  });

  test('in another encoding, or with a mark before it, is no review', async () => {
    const gate = await GateScene.create(PASS);
    const body = JSON.stringify(reviewOf({ object: podOf([EVIL]) }));
    for (const bytes of [
      Buffer.from(body, 'utf16le'),
      Buffer.concat([Buffer.from(body.slice(0, -40)), Buffer.from([0xc3, 0x28]), Buffer.from(body.slice(-40))]),
      Buffer.concat([Buffer.from(body), Buffer.from(body)]),
    ]) {
      const reply = await gate.post('/validate', bytes);
      assert.equal(reply.status, 400);
      assert.doesNotMatch(textOf(reply), /"allowed":true/);
    }
  });
});

describe('an image that is none', () => {
  const NONE = [
    ' nginx',
    'nginx ',
    'nginx\n',
    '\tnginx',
    'nginx\u200b',
    'ngınx',
    'n\u0000',
    'x\u2028y:1',
    'x\u001b[2J\nOK',
    'x\u009b2J',
    'x\u202egpj',
    '@',
    ':',
    '/',
    '@sha256:',
    ':tag',
    `@${EVIL}`,
    'FOO/bar',
    'http://x/y',
    '//x/y',
    '../x',
    'x/../y',
    `x@sha256:${'A'.repeat(64)}`,
    `x@sha256:${'a'.repeat(63)}`,
    `x@md5:${'a'.repeat(32)}`,
    `${EVIL}@sha256:${'b'.repeat(64)}`,
    `x:${'t'.repeat(129)}`,
    'x'.repeat(2000),
    'a'.repeat(64),
    '\ud800',
    'x?y',
    'x#y',
    'x:1?tag=2',
    'user:pass@host/x',
    'host:99999/x:1',
    `x@sha256:${'a'.repeat(64)} `,
  ];
  test('is denied by both webhooks, on one line that no terminal obeys', async () => {
    const gate = await GateScene.create(PASS);
    for (const image of NONE)
      for (const endpoint of ['mutate', 'validate'] as const) {
        const { allowed, message, audit, body } = await gate.review(endpoint, { object: podOf([image]) });
        assert.equal(allowed, false, JSON.stringify(image));
        assert.match(message, /spec\.containers\[0\]\.image/);
        for (const text of [message, ...Object.values(audit)]) assert.doesNotMatch(text, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.doesNotMatch(body, /\u001b|\\u001b/);
      }
    assert.deepEqual(gate.failures, []);
  });

  test('stays where it was before the gate', async () => {
    const gate = await GateScene.create(NEVER);
    for (const image of NONE) {
      const request = {
        operation: 'UPDATE',
        oldObject: podOf([image]),
        object: podOf([image], { labels: { a: 'b' } }),
      };
      assert.equal((await gate.review('validate', request)).allowed, true);
    }
  });
});

test('no path but the two is a webhook', async () => {
  const gate = await GateScene.create(PASS);
  const body = JSON.stringify(reviewOf({ object: podOf([gate.pinned]) }));
  for (const target of [
    '/validate/../mutate',
    '/validate/',
    '//validate',
    '/VALIDATE',
    '/validate%2f',
    '/%76alidate',
    'http://x/validate',
    '/validate;x',
    '/validate#',
    '/healthz/../validate',
    '*',
    '',
    '/',
    '/validate\u0000',
    '?timeout=10s',
  ]) {
    const reply = await gate.post(target, body);
    assert.equal(reply.status, 404, target);
    assert.doesNotMatch(textOf(reply), /allowed/);
  }
  for (const query of ['?timeout=5s&timeout=30s', '?', '?/mutate', '?timeout=%31s', '?timeout=31s', '?timeout=0'])
    assert.equal(answered(await gate.post(`/validate${query}`, body)).allowed, true);
});

test('whatever is changed in a review of what the policies refuse, it is not let in', async () => {
  const gate = await GateScene.create(NEVER);
  const scalar = fc.constantFrom<Json>(null, '', 'x', 0, true, [], {}, ['system:nodes'], EVIL, '__proto__');
  const objects = [podOf([EVIL]), workloadOf('Deployment', [EVIL]), workloadOf('Rollout', [EVIL])];
  /** every place that is no part of the pod itself */
  const places = [
    'uid',
    'kind',
    'resource',
    'subResource',
    'requestKind',
    'namespace',
    'name',
    'userInfo',
    'dryRun',
    'options',
    'oldObject',
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...objects),
      fc.dictionary(fc.constantFrom(...places), scalar, { maxKeys: 4 }),
      fc.dictionary(fc.constantFrom('apiVersion', 'kind', 'metadata', 'status', 'items', 'data'), scalar, {
        maxKeys: 3,
      }),
      fc.constantFrom('CREATE', 'UPDATE'),
      async (object, change, inside, operation) => {
        // these let it pass, as they must: they cannot carry an image
        if (change['subResource'] === 'status' || change['subResource'] === 'scale') return;
        const { request, ...review } = reviewOf({ object }) as { request: object };
        const whole = { ...request, operation, oldObject: {}, ...change, object: { ...(object as object), ...inside } };
        const reply = await gate.post('/validate', JSON.stringify({ ...review, request: whole }));
        assert.doesNotMatch(textOf(reply), /"allowed":true/, JSON.stringify(whole));
      },
    ),
    { numRuns: 1000 },
  );
  assert.deepEqual(gate.failures, []);
});
