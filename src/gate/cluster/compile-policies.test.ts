// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decide } from '../../policy/index.ts';
import { encodePublicKey, generatePrivateKey } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { PolicyCompiler, type CompiledPolicies, type PolicyObjects } from './compile-policies.ts';

const NONE: PolicyObjects = { policies: [], trustRoots: [], settings: [], exceptions: [], secrets: [], configMaps: [] };
const PASS = [{ static: { action: 'pass' } }];

const named = (name: string, spec: Json): Json => ({
  metadata: { name, uid: `uid-${name}`, generation: 1, managedFields: [] },
  spec,
  status: {},
});

async function compiled(objects: Partial<PolicyObjects>, compiler = new PolicyCompiler()): Promise<CompiledPolicies> {
  return await compiler.compile({ ...NONE, ...objects }, async () => ({}));
}

/** What becomes of an image, without any registry. */
async function outcome({ set }: CompiledPolicies, image: string, kind?: string): Promise<readonly [string, string]> {
  const open = (): Promise<never> => Promise.reject(new Error('no registry is asked'));
  const resource = kind === undefined ? {} : { resource: { group: '', version: 'v1', resource: kind, labels: {} } };
  const digest = `${image}@sha256:${'a'.repeat(64)}`;
  const decision = await decide({ image: digest, open, now: new Date(), ...resource }, set);
  return [decision.outcome, decision.message];
}

function problem({ statuses }: CompiledPolicies, name: string): string | undefined {
  return statuses.find(({ object }) => JSON.stringify(object).includes(`"uid-${name}"`))?.problem;
}

suite('the policies of a cluster', () => {
  test('are in force as they stand there', async () => {
    const made = await compiled({ policies: [named('all', { images: [{ glob: '**' }], authorities: PASS })] });
    assert.equal(problem(made, 'all'), undefined);
    assert.deepEqual((await outcome(made, 'example.test/app'))[0], 'trusted');
  });

  const BROKEN: Readonly<Record<string, Json>> = {
    'a key that is none': { images: [{ glob: 'example.test/**' }], authorities: [{ key: { data: 'x' } }] },
    'a Secret that is not there': {
      images: [{ glob: 'example.test/**' }],
      authorities: [{ key: { secretRef: { name: 's' } } }],
    },
    'a field that nobody knows': { images: [{ glob: 'example.test/**' }], authorities: PASS, treshold: 2 },
    'no authority': { images: [{ glob: 'example.test/**' }], authorities: [] },
    'a TrustRoot that is not there': {
      images: [{ glob: 'example.test/**' }],
      authorities: [
        { keyless: { url: 'https://ca.test', trustRootRef: 'x', identities: [{ issuer: 'i', subject: 's' }] } },
      ],
    },
  };
  for (const [what, spec] of Object.entries(BROKEN))
    test(`refuse what a policy with ${what} could be about, and nothing else`, async () => {
      const all = named('all', { images: [{ glob: '**' }], authorities: PASS });
      const made = await compiled({ policies: [all, named('broken', spec)] });
      assert.ok(problem(made, 'broken') !== undefined);
      const [found, message] = await outcome(made, 'example.test/app');
      assert.equal(found, 'refused');
      assert.match(message, /broken: .*cannot be used: /);
      assert.equal((await outcome(made, 'other.test/app'))[0], 'trusted');
    });

  const UNREADABLE: Readonly<Record<string, Json>> = {
    'no images': { authorities: PASS },
    'images that are no globs': { images: [{ glob: 'a b' }], authorities: PASS },
    'images that are no list': { images: 'example.test', authorities: PASS },
    'no fields at all': null,
    'another shape': ['x'],
  };
  for (const [what, spec] of Object.entries(UNREADABLE))
    test(`refuse every image where a policy has ${what}`, async () => {
      const all = named('all', { images: [{ glob: '**' }], authorities: PASS });
      const made = await compiled({ policies: [all, named('broken', spec)] });
      assert.equal((await outcome(made, 'any.test/app'))[0], 'refused');
    });

  test('keep the objects that a broken policy is about, where those can be read', async () => {
    const broken = {
      images: [{ glob: '**' }],
      match: [{ version: 'v1', resource: 'pods' }],
      authorities: [{ key: { data: 'x' } }],
    };
    const all = named('all', { images: [{ glob: '**' }], authorities: PASS });
    const made = await compiled({ policies: [all, named('broken', broken)] });
    assert.equal((await outcome(made, 'any.test/app', 'pods'))[0], 'refused');
    assert.equal((await outcome(made, 'any.test/app', 'jobs'))[0], 'trusted');
    const worse = { ...broken, match: [{ resource: 'nonsense' }] };
    assert.equal(
      (await outcome(await compiled({ policies: [all, named('broken', worse)] }), 'any.test/app', 'jobs'))[0],
      'refused',
    );
  });

  test('only warn by a broken policy that only warned', async () => {
    const broken = { mode: 'warn', images: [{ glob: '**' }], authorities: [{ key: { data: 'x' } }] };
    assert.equal(
      (await outcome(await compiled({ policies: [named('broken', broken)] }), 'any.test/app'))[0],
      'trusted',
    );
  });

  test('refuse everything by settings that cannot be read: what they revoke is not known', async () => {
    const all = named('all', { images: [{ glob: '**' }], authorities: PASS });
    const made = await compiled({
      policies: [all],
      settings: [named('cluster', { revocations: [{ reason: 'of whom?' }] })],
    });
    assert.ok(problem(made, 'cluster') !== undefined);
    const [found, message] = await outcome(made, 'any.test/app');
    assert.equal(found, 'refused');
    assert.match(message, /policysettings\.cluster: /);
  });

  test('take the settings of policy-controller, and refuse everything where those are broken', async () => {
    const map = (word: string): Json => ({
      metadata: { name: 'config-policy-controller', namespace: 'gate' },
      data: { 'no-match-policy': word },
    });
    assert.equal((await outcome(await compiled({ configMaps: [map('allow')] }), 'any.test/app'))[0], 'trusted');
    assert.equal((await outcome(await compiled({ configMaps: [map('nonsense')] }), 'any.test/app'))[0], 'refused');
  });

  test('are without an exception or a trusted root that cannot be read, which admits nothing more', async () => {
    const made = await compiled({
      policies: [named('all', { images: [{ glob: '**' }], authorities: PASS })],
      exceptions: [named('bad-exception', { nothing: true })],
      trustRoots: [named('bad-root', { sigstoreKeys: 7 })],
    });
    assert.ok(problem(made, 'bad-exception') !== undefined);
    assert.ok(problem(made, 'bad-root') !== undefined);
    assert.equal((await outcome(made, 'any.test/app'))[0], 'trusted');
  });

  test('find keys in Secrets that they name, and look at no other Secret', async () => {
    const pem = encodePublicKey((await generatePrivateKey('ecdsa-p256')).publicKey);
    const secret = (name: string, text: string): Json => ({
      metadata: { name, namespace: 'gate' },
      data: { 'cosign.pub': Buffer.from(text).toString('base64') },
    });
    const policy = named('keyed', {
      images: [{ glob: '**' }],
      authorities: [{ key: { secretRef: { name: 'signers' } } }],
    });
    const made = await compiled({
      policies: [policy],
      secrets: [secret('signers', pem), { metadata: { name: 'other' }, data: 7 }],
    });
    assert.equal(problem(made, 'keyed'), undefined);
    const wrong = await compiled({ policies: [policy], secrets: [secret('signers', 'no key')] });
    assert.ok(problem(wrong, 'keyed') !== undefined);
  });

  test('are the same set for the same objects, whatever was there before', async () => {
    const good = named('p', { images: [{ glob: 'a.test/**' }], authorities: PASS });
    const bad = named('p', { images: [{ glob: 'a.test/**' }], authorities: [{ key: { data: 'x' } }] });
    const compiler = new PolicyCompiler();
    await compiled({ policies: [good] }, compiler);
    const after = await compiled({ policies: [bad] }, compiler);
    const fresh = await compiled({ policies: [bad] });
    assert.deepEqual(
      after.set.policies.map(({ hash }) => hash),
      fresh.set.policies.map(({ hash }) => hash),
    );
    assert.equal((await outcome(after, 'a.test/app'))[0], 'refused');
  });
});
