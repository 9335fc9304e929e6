// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RegistryError } from '../../oci/index.ts';
import { exceptionStatement } from '../../policy/index.ts';
import { NAME, newSigner, policyOf, unreachable } from '../../policy/scene.fixture.ts';
import { encodeBundle, encodePublicKey, signBundle, type Signer } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { GateScene, podOf, workloadOf } from './gate.fixture.ts';

const byKey = ({ publicKey }: Signer, more: object = {}): object => ({
  key: { data: encodePublicKey(publicKey) },
  name: 'release',
  ...more,
});
const signer = await newSigner();
const SEALED = policyOf([byKey(signer)], {}, 'sealed');
const EVERYTHING = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: '**' }] });

async function sealed(options: Parameters<typeof GateScene.create>[1] = {}, yaml = SEALED): Promise<GateScene> {
  const gate = await GateScene.create(yaml, options);
  await gate.scene.sign(signer);
  gate.scene.calls.length = 0;
  return gate;
}

describe('the mutating webhook', () => {
  test('writes the digest that was verified beside the tag, guarded by a test of what stood there', async () => {
    const gate = await sealed();
    const { patch, allowed } = await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    assert.equal(allowed, true);
    assert.deepEqual(patch, [
      { op: 'test', path: '/spec/containers/0/image', value: `${NAME}:v1` },
      { op: 'replace', path: '/spec/containers/0/image', value: `${NAME}:v1@${gate.scene.digest}` },
    ]);
  });

  test('writes into every kind of container, and into volumes that are images', async () => {
    const gate = await sealed();
    const image = `${NAME}:v1`;
    const object = podOf(
      [image],
      {},
      {
        initContainers: [{ name: 'i', image, restartPolicy: 'Always' }],
        ephemeralContainers: [{ name: 'e', image }],
        volumes: [
          { name: 'v', image: { reference: image, pullPolicy: 'Always' } },
          { name: 'r', rbd: { image } },
        ],
      },
    );
    const { patch } = await gate.review('mutate', { object });
    assert.deepEqual(
      patch
        .filter(({ op }) => op === 'replace')
        .map(({ path }) => path)
        .toSorted(),
      [
        '/spec/containers/0/image',
        '/spec/ephemeralContainers/0/image',
        '/spec/initContainers/0/image',
        '/spec/volumes/0/image/reference',
      ],
    );
  });

  test('writes into both shapes of ephemeral containers', async () => {
    const gate = await sealed();
    const image = `${NAME}:v1`;
    const before = { kind: 'EphemeralContainers', apiVersion: 'v1', metadata: { name: 'p' }, ephemeralContainers: [] };
    const old = await gate.review('mutate', {
      operation: 'UPDATE',
      subResource: 'ephemeralcontainers',
      oldObject: before,
      object: { ...before, ephemeralContainers: [{ name: 'd', image }] },
    });
    assert.equal(old.patch[1]?.path, '/ephemeralContainers/0/image');
    const fresh = await gate.review('mutate', {
      operation: 'UPDATE',
      subResource: 'ephemeralcontainers',
      oldObject: podOf(['old.example/x:1']),
      object: podOf(['old.example/x:1'], {}, { ephemeralContainers: [{ name: 'd', image }] }),
    });
    assert.deepEqual(
      fresh.patch.map(({ path }) => path),
      ['/spec/ephemeralContainers/0/image', '/spec/ephemeralContainers/0/image'],
    );
  });

  test('leaves workloads as they are, unless told to write into them too; and nothing with none', async () => {
    const deployment = workloadOf('Deployment', [`${NAME}:v1`]);
    for (const [mutate, pod, workload] of [
      ['pods', 2, 0],
      ['workloads', 2, 2],
      ['none', 0, 0],
    ] as const) {
      const gate = await sealed({ mutate });
      assert.equal((await gate.review('mutate', { object: podOf([`${NAME}:v1`]) })).patch.length, pod);
      assert.equal((await gate.review('mutate', { object: deployment })).patch.length, workload);
    }
  });

  test('writes nothing for what is not trusted: the validating webhook says why', async () => {
    const gate = await GateScene.create(SEALED);
    const { allowed, patch } = await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    assert.deepEqual([allowed, patch], [true, []]);
    const { allowed: admitted, message } = await gate.review('validate', { object: podOf([`${NAME}:v1`]) });
    assert.equal(admitted, false);
    assert.match(message, /nothing that could satisfy it lies beside the image/);
  });

  test('does not look at an image that no policy is about, where those may run', async () => {
    const settings = `${JSON.stringify({ apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 's' }, spec: { noMatchPolicy: 'warn' } })}\n`;
    const gate = await sealed({}, SEALED + settings);
    const object = podOf(['other.example/x:1']);
    assert.deepEqual((await gate.review('mutate', { object })).patch, []);
    const { allowed, warnings } = await gate.review('validate', { object });
    assert.equal(allowed, true);
    assert.deepEqual(warnings, ['other.example/x:1: no policy is about this image']);
    assert.deepEqual(gate.scene.calls, []);
  });
});

describe('the validating webhook', () => {
  test('admits a Pod with the digest that the mutating one wrote, without asking the registry again', async () => {
    const gate = await sealed();
    const { patch } = await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    const asked = gate.scene.calls.length;
    const { allowed, audit, warnings } = await gate.review('validate', { object: podOf([patch[1]?.value ?? '']) });
    assert.equal(allowed, true);
    assert.equal(audit['outcome'], 'admitted');
    assert.deepEqual(warnings, []);
    assert.equal(gate.scene.calls.length, asked);
  });

  test('demands a digest of a Pod, and says which', async () => {
    const gate = await sealed({ mutate: 'none' });
    const { allowed, message, code } = await gate.review('validate', { object: podOf([`${NAME}:v1`]) });
    assert.equal(allowed, false);
    assert.equal(code, 403);
    assert.ok(message.includes(`${NAME}:v1@${gate.scene.digest}`));
  });

  test('resolves and judges a workload by its tag, and leaves it', async () => {
    const gate = await sealed();
    assert.equal((await gate.review('validate', { object: workloadOf('Deployment', [`${NAME}:v1`]) })).allowed, true);
    const other = await newSigner();
    await gate.policies(policyOf([byKey(other)], {}, 'sealed'));
    const { allowed, message } = await gate.review('validate', { object: workloadOf('Deployment', [`${NAME}:v1`]) });
    assert.equal(allowed, false);
    assert.ok(message.includes(gate.scene.digest), 'the digest that was judged');
  });

  test('tolerates a container without an image in a template, and not in a Pod', async () => {
    const gate = await sealed();
    const container = { name: 'c' };
    const template = workloadOf('Deployment', [], {}, { template: { spec: { containers: [container] } } });
    assert.equal((await gate.review('validate', { object: template })).allowed, true);
    const pod = await gate.review('validate', { object: podOf([], {}, { containers: [container] }) });
    assert.equal(pod.allowed, false);
    assert.match(pod.message, /containers\[0\]/);
  });

  test('says what a person can act on: field, image, digest, policy, what was found and by whom', async () => {
    const gate = await sealed();
    const other = await newSigner();
    await gate.policies(policyOf([byKey(other)], {}, 'sealed'));
    const images = Array.from({ length: 6 }, () => gate.pinned);
    const { allowed, code, message } = await gate.review('validate', { object: podOf(images) });
    assert.equal(allowed, false);
    assert.equal(code, 403);
    for (const part of [
      'spec.containers[0].image, spec.containers[1].image, spec.containers[2].image and 3 more',
      gate.pinned,
      'refused',
      'sealed: release:',
      'closest was',
      signer.publicKey.hint,
    ])
      assert.ok(message.includes(part), `${part} in ${message}`);
  });

  test('tells the real cause where a registry fails, and that nothing is known against the image', async () => {
    const gate = await sealed();
    for (const [error, part] of [
      [unreachable(), 'does not answer'],
      [new RegistryError('throttled', 'registry.example.com: too many requests'), 'too many requests'],
      [new RegistryError('unauthorized', 'registry.example.com wants credentials'), 'wants credentials'],
    ] as const) {
      gate.scene.failures.set('referrers', error);
      gate.scene.failures.set('resolve', error);
      gate.scene.failures.set('manifest', error);
      for (const image of [gate.pinned, `${NAME}:other`]) {
        const { allowed, code, message } = await gate.review('validate', { object: podOf([image]) });
        assert.equal(allowed, false);
        assert.equal(code, 503);
        assert.ok(message.includes(part), message);
        assert.doesNotMatch(message, /nothing that could satisfy/);
      }
    }
  });

  test('keeps a denial of many images within what the API server takes', async () => {
    const gate = await GateScene.create(SEALED);
    const images = Array.from({ length: 300 }, (_, at) => `registry.example.com/prod/${'x'.repeat(100)}${at}:1`);
    const { allowed, message, audit } = await gate.review('validate', { object: podOf(images) });
    assert.equal(allowed, false);
    assert.ok(message.length <= 4096);
    for (const [key, value] of Object.entries(audit)) {
      assert.match(key, /^[a-z][a-z0-9._-]{0,62}$/);
      assert.ok(value.length <= 2048);
    }
  });

  test('warns of policies that only warn, within the lengths that are shown', async () => {
    const gate = await GateScene.create(
      policyOf([byKey(signer)], { mode: 'warn' }, 'soon') + policyOf([{ static: { action: 'pass' } }], {}, 'all'),
    );
    const { allowed, warnings } = await gate.review('validate', { object: podOf([gate.pinned]) });
    assert.equal(allowed, true);
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.includes('soon: ') === true && warnings[0].length <= 256);
  });

  test('tells only the audit log of policies that are only audited', async () => {
    const gate = await GateScene.create(
      policyOf([byKey(signer)], { mode: 'audit' }, 'later') + policyOf([{ static: { action: 'pass' } }], {}, 'all'),
    );
    const { allowed, warnings, audit } = await gate.review('validate', { object: podOf([gate.pinned]) });
    assert.equal(allowed, true);
    assert.deepEqual(warnings, []);
    assert.match(audit['audit'] ?? '', /later: /);
  });

  test('does not judge namespaces that are excluded by their name, and no other', async () => {
    const gate = await GateScene.create(SEALED, { excludedNamespaces: ['kube-system'] });
    gate.set = undefined;
    const object = podOf([`${NAME}:v1`], { namespace: 'kube-system' });
    assert.equal((await gate.review('validate', { object, namespace: 'kube-system' })).allowed, true);
    assert.deepEqual((await gate.review('mutate', { object, namespace: 'kube-system' })).patch, []);
    // what the object says of itself, and its labels, exclude nothing
    const labels = { 'kubernetes.io/metadata.name': 'kube-system', 'bulla.dev/skip': 'true' };
    for (const namespace of ['default', 'kube-system2', 'Kube-System', ''])
      assert.equal(
        (
          await gate.review('validate', {
            object: podOf([`${NAME}:v1`], { namespace: 'kube-system', labels }),
            namespace,
          })
        ).allowed,
        false,
      );
  });

  test('admits nothing before policies are loaded, and says that it is not ready', async () => {
    const gate = await sealed();
    const { set } = gate;
    gate.set = undefined;
    for (const endpoint of ['mutate', 'validate'] as const) {
      const { allowed, code, message } = await gate.review(endpoint, { object: podOf([gate.pinned]) });
      assert.deepEqual([allowed, code], [false, 503]);
      assert.match(message, /not loaded yet/);
    }
    const none = (async function* (): AsyncIterable<Uint8Array> {})();
    const ask = async (target: string): Promise<number> =>
      (await gate.gate.service.answer({ method: 'GET', target, headers: {}, body: none })).status;
    assert.deepEqual([await ask('/healthz'), await ask('/readyz')], [200, 503]);
    gate.set = set;
    assert.equal(await ask('/readyz'), 200);
  });

  test('judges the mirror Pod of a node without demanding a digest, and takes no user for a node', async () => {
    const gate = await sealed();
    const object = podOf([`${NAME}:v1`], { annotations: { 'kubernetes.io/config.mirror': 'x' } });
    const node = { username: 'system:node:n', groups: ['system:nodes'] };
    assert.deepEqual((await gate.review('mutate', { object, userInfo: node })).patch, []);
    assert.equal((await gate.review('validate', { object, userInfo: node })).allowed, true);
    assert.equal((await gate.review('validate', { object })).allowed, false);
    const unsealed = podOf(['registry.example.com/prod/none:v1'], {
      annotations: { 'kubernetes.io/config.mirror': 'x' },
    });
    assert.equal((await gate.review('validate', { object: unsealed, userInfo: node })).allowed, false);
  });
});

describe('a decision', () => {
  test('is told to observers with all that Events and reports need, dry runs marked', async () => {
    const gate = await sealed();
    const metadata = {
      name: '',
      generateName: 'web-',
      uid: 'u',
      ownerReferences: [{ kind: 'ReplicaSet', name: 'web' }],
    };
    await gate.review('validate', {
      object: podOf([gate.pinned, `${NAME}:none@${gate.scene.digest}`], metadata),
      dryRun: true,
    });
    await new Promise((done) => setImmediate(done));
    const [record] = gate.records;
    assert.equal(gate.records.length, 1);
    assert.equal(record?.dryRun, true);
    assert.equal(record?.generateName, 'web-');
    assert.equal(record?.objectUid, 'u');
    assert.equal(record?.user, 'dev');
    assert.deepEqual(record?.owners, [{ kind: 'ReplicaSet', name: 'web' }] as unknown as Json);
    assert.deepEqual(
      record?.images.map(({ field, container, decision }) => [field, container, decision.outcome, decision.digest]),
      [
        ['spec.containers[0].image', 'c0', 'trusted', gate.scene.digest],
        ['spec.containers[1].image', 'c1', 'trusted', gate.scene.digest],
      ],
    );
  });

  test('stands, whatever an observer does', async () => {
    const gate = await sealed();
    gate.restart({
      observers: [
        {
          decided: () => {
            throw new TypeError('no');
          },
        },
      ],
    });
    assert.equal((await gate.review('validate', { object: podOf([gate.pinned]) })).allowed, true);
    await new Promise((done) => setImmediate(done));
    assert.equal(gate.failures.length, 1);
  });

  test('is made by the labels of the object where policies look at them', async () => {
    const match = { match: [{ version: 'v1', resource: 'pods', selector: { matchLabels: { tier: 'prod' } } }] };
    const gate = await GateScene.create(EVERYTHING + policyOf([byKey(signer)], match, 'prod'));
    const ask = async (labels: object): Promise<boolean> =>
      (await gate.review('validate', { object: podOf([gate.pinned], { labels }) })).allowed;
    for (let round = 0; round < 2; round++) {
      assert.equal(await ask({ tier: 'dev' }), true);
      assert.equal(await ask({ tier: 'prod' }), false);
    }
  });

  test('is made by the parts of the object that a policy includes, and never reused for others', async () => {
    const policy = { type: 'cel', includeSpec: true, data: 'spec.hostNetwork != true' };
    const gate = await GateScene.create(policyOf([{ static: { action: 'pass' } }], { policy }, 'net'));
    const ask = async (hostNetwork: boolean): Promise<boolean> =>
      (await gate.review('validate', { object: podOf([gate.pinned], {}, { hostNetwork }) })).allowed;
    assert.deepEqual(
      [await ask(false), await ask(true), await ask(false), await ask(true)],
      [true, false, true, false],
    );
  });
});

describe('an exception that somebody signed', () => {
  test('admits one digest for its time, while the registry is down, and everybody is told', async () => {
    const approver = await newSigner();
    const settings = {
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { exceptions: { signers: [byKey(approver)] } },
    };
    const gate = await GateScene.create(SEALED);
    const [issued, expires] = [gate.time - 1000, gate.time + 3_600_000].map((time) => new Date(time));
    assert.ok(issued !== undefined && expires !== undefined);
    const terms = { policies: ['sealed'], reason: 'the signer is down', approver: 'alice', issued, expires };
    const sealedTerms = await signBundle(exceptionStatement(gate.pinned, terms), approver, []);
    const bundle = new TextDecoder().decode(encodeBundle(sealedTerms));
    const policies = `${SEALED}${JSON.stringify(settings)}\n---\n${bundle}\n`;
    for (const method of ['resolve', 'referrers', 'manifest', 'blob']) gate.scene.failures.set(method, unreachable());
    assert.equal((await gate.review('validate', { object: podOf([gate.pinned]) })).allowed, false);
    await gate.policies(policies);
    const { allowed, warnings, audit } = await gate.review('validate', { object: podOf([gate.pinned]) });
    assert.equal(allowed, true);
    assert.match(warnings.join(), /approved by alice/);
    assert.match(audit['exception'] ?? '', /the signer is down \(approved by alice\)/);
    gate.time += 3_600_001;
    assert.equal((await gate.review('validate', { object: podOf([gate.pinned]) })).allowed, false);
  });
});

describe('a way around', () => {
  const TAGGED = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: `${NAME}:approved*` }] }, 'approved');

  test('by a tag that is decoration is closed: with a digest it meets no policy', async () => {
    const gate = await GateScene.create(TAGGED);
    const evil = `${NAME}:approved@sha256:${'e'.repeat(64)}`;
    const { allowed, message } = await gate.review('validate', { object: podOf([evil]) });
    assert.equal(allowed, false);
    assert.match(message, /no policy is about this image/);
  });

  test('by a tag is closed the other way too: a policy about tags still must be met', async () => {
    const strict = policyOf([{ static: { action: 'fail' } }], { images: [{ glob: `${NAME}:v1**` }] }, 'tags');
    const gate = await GateScene.create(EVERYTHING + strict);
    assert.equal(
      (await gate.review('validate', { object: podOf([`${NAME}:v1@${gate.scene.digest}`]) })).allowed,
      false,
    );
  });

  test('by a tag is closed where a policy names a digest, and images that no policy is about may run', async () => {
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 's' } };
    const free = `${JSON.stringify({ ...settings, spec: { noMatchPolicy: 'allow' } })}\n`;
    const { scene } = await GateScene.create(EVERYTHING);
    for (const glob of [`${NAME}@${scene.digest}`, `${NAME}@${scene.digest.slice(0, 20)}*`, `**/app@${scene.digest}`]) {
      const blocked = policyOf([{ static: { action: 'fail' } }], { images: [{ glob }] }, 'blocked');
      const gate = await GateScene.create(blocked + free);
      for (const object of [podOf([`${NAME}:v1`]), podOf([NAME + ':v1']), workloadOf('Deployment', [`${NAME}:v1`])]) {
        const { allowed, message } = await gate.review('validate', { object });
        assert.equal(allowed, false, glob);
        assert.match(message, /blocked/);
      }
      // another image of that name may run, as the digest that it was judged by
      const { repository } = gate.scene;
      const other = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
      const bytes = new TextEncoder().encode(JSON.stringify(other));
      const { descriptor } = await repository.putManifest(bytes, other.mediaType, { tag: 'v2' });
      const { patch } = await gate.review('mutate', { object: podOf([`${NAME}:v2`]) });
      assert.equal(patch[1]?.value, `${NAME}:v2@${descriptor.digest}`);
      assert.equal((await gate.review('validate', { object: podOf([patch[1]?.value ?? '']) })).allowed, true);
      assert.match((await gate.review('validate', { object: podOf([`${NAME}:v2`]) })).message, /by its digest/);
      // and of a name that no policy can be about nobody asks for a digest
      gate.scene.calls.length = 0;
      const elsewhere = podOf(['other.example/x:1']);
      if (!glob.startsWith('*')) {
        assert.equal((await gate.review('validate', { object: elsewhere })).allowed, true);
        assert.deepEqual(gate.scene.calls, []);
      }
    }
  });

  test('by moving the tag in between is closed: what was verified is what is written, and that is what is judged', async () => {
    const gate = await sealed();
    const { patch } = await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    const { repository } = gate.scene;
    const other = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    const { descriptor } = await repository.putManifest(
      new TextEncoder().encode(JSON.stringify(other)),
      other.mediaType,
      { tag: 'v1' },
    );
    assert.equal(patch[1]?.value, `${NAME}:v1@${gate.scene.digest}`);
    assert.equal((await gate.review('validate', { object: podOf([patch[1]?.value ?? '']) })).allowed, true);
    // and the moved tag carries no verdict of what it was
    gate.time += 60_000;
    const { allowed } = await gate.review('validate', { object: podOf([`${NAME}:v1@${descriptor.digest}`]) });
    assert.equal(allowed, false);
    assert.deepEqual((await gate.review('mutate', { object: podOf([`${NAME}:v1`]) })).patch, []);
  });

  test('by an annotation that says it was verified is closed', async () => {
    const gate = await GateScene.create(SEALED);
    const annotations = { 'bulla.dev/verified': 'true', 'kyverno.io/verify-images': `{"${gate.pinned}":"pass"}` };
    assert.equal((await gate.review('validate', { object: podOf([gate.pinned], { annotations }) })).allowed, false);
  });

  test('through init, ephemeral and volume images, and through custom resources, is closed', async () => {
    const gate = await GateScene.create(SEALED);
    const image = gate.pinned;
    for (const spec of [
      { initContainers: [{ name: 'i', image }] },
      { ephemeralContainers: [{ name: 'e', image }] },
      { volumes: [{ name: 'v', image: { reference: image } }] },
    ])
      assert.equal(
        (await gate.review('validate', { object: podOf([], {}, spec) })).allowed,
        false,
        Object.keys(spec)[0] ?? '',
      );
    for (const kind of ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'Rollout'])
      assert.equal((await gate.review('validate', { object: workloadOf(kind, [image]) })).allowed, false, kind);
    const unknown: Json = {
      apiVersion: 'x.example/v1',
      kind: 'Thing',
      spec: { pods: { a: { containers: [{ name: 'c', image }] } } },
    };
    assert.equal((await gate.review('validate', { object: unknown })).allowed, false);
  });

  test('by another webhook that changes the image after the digest was written is closed', async () => {
    const gate = await sealed();
    await gate.review('mutate', { object: podOf([`${NAME}:v1`]) });
    assert.equal(
      (await gate.review('validate', { object: podOf([`other.example/x@sha256:${'a'.repeat(64)}`]) })).allowed,
      false,
    );
  });
});
