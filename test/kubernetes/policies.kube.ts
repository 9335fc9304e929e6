// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SINGLE } from '../interop/lab.ts';
import { GATE_NAMESPACE, KubeLab, OTHER_PUBLIC_KEY } from './kube-lab.ts';
import { type LabGate } from './lab-gate.ts';
import { keyPolicy, pod, type KubeObject, PUBLIC_KEY } from './kube-objects.ts';

// Policies, settings and what they name, while a gate serves: made, changed, mistyped, broken and taken away.

suite('the policies of a cluster', () => {
  let kube: KubeLab;
  let gate: LabGate;
  let sealed: string;
  let unsealed: string;
  const inForce = async (name: string, status: string, what = ''): Promise<void> => {
    await kube.until(`${name} is ${status}`, async () => {
      const found = await kube.field(`cip/${name}`, '.status.conditions[0]');
      const condition = JSON.parse(found === '' ? '{}' : found) as {
        readonly status?: string;
        readonly message?: string;
      };
      return condition.status === status && (condition.message ?? '').includes(what);
    });
  };
  const tries = async (image: string): Promise<string> =>
    (await kube.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('try', image))).stderr;

  /** Lets something into the cluster that the gate would not: it is away, and nobody is kept from writing policies then. */
  const unseen = async (...objects: readonly KubeObject[]): Promise<void> => {
    await gate.stop();
    await kube.does(['apply', '--validate=false', '--filename', '-'], {
      apiVersion: 'v1',
      kind: 'List',
      items: objects,
    });
    gate = await kube.serve(gate.port);
  };

  before(async () => {
    kube = await KubeLab.start();
    sealed = await kube.sealed('shop/sealed');
    unsealed = await kube.image('shop/unsealed');
    gate = await kube.gate();
  });
  after(() => kube.close());

  test('refuses everything while there is no policy', async () => {
    assert.match(await tries(sealed), /no policy is about this image/);
  });

  test('takes a policy into force when it is made, and says so in its status', async () => {
    await kube.apply(keyPolicy('shop', ['localhost:*/**']));
    await inForce('shop', 'True');
    assert.equal(await kube.field('cip/shop', '.status.observedGeneration'), '1');
    assert.equal(await tries(sealed), '');
    assert.match(await tries(unsealed), /refused: shop/);
  });

  test('decides anew when a policy changes', async () => {
    await kube.apply(keyPolicy('shop', ['localhost:*/**'], {}, OTHER_PUBLIC_KEY));
    await kube.until('the sealed image is refused', async () => /refused: shop/.test(await tries(sealed)));
    await kube.apply(keyPolicy('shop', ['localhost:*/**']));
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
    assert.equal(await kube.field('cip/shop', '.status.observedGeneration'), '3');
  });

  test('refuses a policy that could never be used, with the reason, and goes on with the one that is there', async () => {
    const apply = async (object: KubeObject): Promise<string> =>
      (await kube.kubectl(['apply', '--validate=false', '--filename', '-'], object)).stderr;
    const key = keyPolicy('shop', ['localhost:*/**'], { authorities: [{ name: 'key', key: { data: 'no key' } }] });
    assert.match(await apply(key), /denied the request: spec\.authorities\[0\]\.key\.data: /);
    assert.match(await apply(keyPolicy('typo', ['**'], { mod: 'warn' })), /did you mean mode\?/);
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 'cluster' } };
    assert.match(
      await apply({ ...settings, spec: { noMatch: 'allow' } }),
      /denied the request: spec\.noMatch: unknown field/,
    );
    const root = { apiVersion: 'policy.sigstore.dev/v1alpha1', kind: 'TrustRoot', metadata: { name: 'root' } };
    assert.match(
      await apply({ ...root, spec: { remote: { mirror: 'https://x', root: 'eA==' } } }),
      /denied the request: spec\./,
    );
    assert.equal(await kube.does(['get', 'cip', '--output', 'jsonpath={.items[*].metadata.name}']), 'shop');
    assert.equal(await tries(sealed), '');
  });

  test('lets a policy in that names what is not there yet, and says so', async () => {
    const named = { authorities: [{ name: 'key', key: { secretRef: { name: 'signers' } } }] };
    const { code, stderr } = await kube.kubectl(['apply', '--filename', '-'], keyPolicy('early', ['unused'], named));
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Warning: .*there is no Secret signers/);
    await kube.does(['delete', 'cip/early']);
  });

  test('keeps nobody from labelling, mending and deleting a policy that was broken before', async () => {
    const broken = { authorities: [{ name: 'key', key: { data: 'no key' } }] };
    const finalized = keyPolicy('older', ['unused'], broken);
    await unseen({ ...finalized, metadata: { name: 'older', finalizers: ['example.com/audit'] } });
    await kube.does(['label', 'cip/older', 'team=shop']);
    assert.match(
      await kube.refused(['patch', 'cip/older', '--type', 'merge', '--patch', '{"spec":{"mode":"warn"}}']),
      /denied the request: spec\.authorities/,
    );
    await kube.does(['delete', 'cip/older', '--wait=false']);
    await kube.does(['patch', 'cip/older', '--type', 'merge', '--patch', '{"metadata":{"finalizers":[]}}']);
    await kube.until('it is gone', async () => (await kube.kubectl(['get', 'cip/older'])).code !== 0);
    await unseen(finalized);
    await kube.apply(keyPolicy('older', ['unused']));
    await inForce('older', 'True');
    await kube.does(['delete', 'cip/older']);
  });

  test('refuses what a broken policy could be about, says why, and goes on with the others', async () => {
    const broken = {
      images: [{ glob: 'localhost:*/shop/sealed*' }],
      authorities: [{ name: 'key', key: { data: 'no key' } }],
    };
    await unseen(keyPolicy('extra', ['unused'], broken));
    await inForce('extra', 'False', 'spec.authorities[0].key.data');
    assert.match(await tries(sealed), /extra: .*cannot be used: spec\.authorities\[0\]\.key\.data/);
    assert.match(await tries(unsealed), /refused: shop/);
    await kube.does(['delete', 'cip/extra']);
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });

  test('finds out that a field is mistyped, rather than letting it fall', async () => {
    const policy = keyPolicy('typo', ['localhost:*/shop/sealed*'], { authorites: [] });
    await unseen(policy);
    await inForce('typo', 'False', 'did you mean authorities?');
    assert.match(await tries(sealed), /typo: .*cannot be used/);
    await kube.does(['delete', 'cip/typo']);
  });

  test('follows a Secret that a policy names, in its own namespace and in no other', async () => {
    const named = { authorities: [{ name: 'key', key: { secretRef: { name: 'signers' } } }] };
    await kube.apply(keyPolicy('shop', ['localhost:*/**'], named));
    await inForce('shop', 'False', 'signers');
    const secret = (namespace: string, key: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'signers', namespace },
      stringData: { 'cosign.pub': key },
    });
    await kube.apply(secret('default', PUBLIC_KEY));
    await sleep(1000);
    await inForce('shop', 'False', 'signers');
    await kube.apply(secret(GATE_NAMESPACE, OTHER_PUBLIC_KEY));
    await inForce('shop', 'True');
    assert.match(await tries(sealed), /refused: shop/);
    await kube.apply(secret(GATE_NAMESPACE, PUBLIC_KEY));
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
    await kube.does(['delete', 'secret/signers', '--namespace', GATE_NAMESPACE]);
    await inForce('shop', 'False', 'signers');
    assert.match(await tries(sealed), /cannot be used/);
    await kube.apply(keyPolicy('shop', ['localhost:*/**']));
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });

  test('knows policies of the older version, and settings of our own', async () => {
    await kube.apply({ ...keyPolicy('older', ['localhost:*/older/**']), apiVersion: 'policy.sigstore.dev/v1alpha1' });
    await inForce('older', 'True');
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 'cluster' } };
    await kube.apply({ ...settings, spec: { noMatchPolicy: 'allow' } });
    await kube.until(
      'what no policy is about is admitted',
      async () => (await tries(`127.0.0.1:1/other@${SINGLE}`)) === '',
    );
    await kube.does(['delete', 'policysettings/cluster', 'cip/older']);
  });

  test('refuses everything while settings cannot be read', async () => {
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 'cluster' } };
    await unseen({ ...settings, spec: { revocations: [{ reason: 'of whom?' }] } });
    await kube.until('the sealed image is refused', async () =>
      /policysettings\.cluster: .*cannot be used/.test(await tries(sealed)),
    );
    await kube.does(['delete', 'policysettings/cluster']);
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });
});
