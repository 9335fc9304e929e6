// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { DEVELOPER } from '../interop/keyless.ts';
import { BULLA, keyFile, pushImages, SINGLE, succeed, type LabStack } from '../interop/lab.ts';
import { trustRootOf } from '../interop/policy-lab.ts';
import { GATE_NAMESPACE, KubeLab, SIGNING_KEY } from './kube-lab.ts';
import { keyPolicy, pod, PUBLIC_KEY, type KubeObject } from './kube-objects.ts';

// Whom a cluster believes: the TrustRoot of a stack of one's own, and exceptions for a while.

suite('a cluster that believes', () => {
  let kube: KubeLab;
  let stack: LabStack;
  let image: string;
  const status = async (object: string, namespace = 'default'): Promise<string> =>
    await kube.field(object, '.status.conditions[0].status', namespace);
  const until = async (object: string, expected: string, namespace?: string): Promise<void> =>
    await kube.until(`${object} is ${expected}`, async () => (await status(object, namespace)) === expected);
  const tries = async (name: string): Promise<{ readonly code: number | null; readonly stderr: string }> =>
    await kube.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('try', name));
  const byIdentity = (subject: string): KubeObject => {
    const identities = [{ issuer: stack.endpoints.issuer, subject }];
    const keyless = { url: stack.endpoints.fulcio, trustRootRef: 'stack', identities };
    const authorities = [{ name: 'team', keyless, rfc3161timestamp: { trustRootRef: 'stack' } }];
    return keyPolicy('by-identity', ['localhost:*/team/**', '127.0.0.1:*/team/**'], { authorities });
  };

  before(async () => {
    kube = await KubeLab.start();
    stack = await kube.lab.serveStack();
    image = `${await pushImages(stack, 'team/app')}:single`;
    const { signingConfig, trustedRoot } = stack.endpoints;
    const token = await stack.token(DEVELOPER);
    const flags = [
      '--yes',
      '--identity-token',
      token,
      '--signing-config',
      signingConfig,
      '--trusted-root',
      trustedRoot,
    ];
    await succeed(BULLA, ['sign', ...flags, image], kube.lab.folder());
    await kube.gate();
  });
  after(() => kube.close());

  test('nobody by name before it has the TrustRoot that a policy asks for', async () => {
    const { code, stderr } = await kube.kubectl(['apply', '--filename', '-'], byIdentity(DEVELOPER));
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Warning: .*there is no TrustRoot 'stack'/);
    await until('cip/by-identity', 'False');
    assert.match((await tries(image)).stderr, /cannot be used: spec\.authorities\[0\].*there is no TrustRoot 'stack'/);
  });

  test('whom the stack names, once its TrustRoot is there', async () => {
    await kube.apply(parse(trustRootOf(stack, 'stack')) as KubeObject);
    await until('trustroot/stack', 'True');
    await until('cip/by-identity', 'True');
    await kube.until('the image is admitted', async () => (await tries(image)).code === 0);
    await kube.create(pod('by-identity', image));
    assert.equal(await kube.field('pod/by-identity', '.spec.containers[0].image'), `${image}@${SINGLE}`);
  });

  test('nobody else, and says who it was', async () => {
    await kube.apply(byIdentity('somebody@example.com'));
    await kube.until('the image is refused', async () => (await tries(image)).code !== 0);
    const { stderr } = await tries(image);
    assert.match(stderr, /dev@example\.com/);
    assert.match(stderr, /somebody@example\.com/);
    await kube.apply(byIdentity(DEVELOPER));
    await kube.until('the image is admitted', async () => (await tries(image)).code === 0);
  });

  test('nobody any more when the TrustRoot is gone', async () => {
    await kube.does(['delete', 'trustroot/stack']);
    await until('cip/by-identity', 'False');
    assert.match((await tries(image)).stderr, /there is no TrustRoot 'stack'/);
  });

  test('a signed exception in the namespace of the gate and in no other, until it expires', async () => {
    const unsealed = `${(await kube.image('shop/unsealed')).replace(/:single$/, '')}@${SINGLE}`;
    await kube.apply(keyPolicy('shop', ['localhost:*/shop/**']));
    await until('cip/shop', 'True');
    assert.match((await tries(unsealed)).stderr, /refused: shop/);
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 'cluster' } };
    await kube.apply({ ...settings, spec: { exceptions: { signers: [{ key: { data: PUBLIC_KEY } }] } } });
    await until('policysettings/cluster', 'True');
    const excepted = async (namespace: string, key: string, seconds: number): Promise<KubeObject> => {
      const words = ['policy', 'except', '--key', key, '--lifts', 'shop', '--reason', 'INC-4711'];
      const who = ['--approver', 'alice@example.com', '--for', `${seconds}s`];
      const made = await kube.lab.bulla([...words, ...who, '--resource', 'inc', '--namespace', namespace, unsealed], {
        env: { COSIGN_PASSWORD: 'pw' },
      });
      assert.equal(made.code, 0, made.stderr);
      return parse(made.stdout) as KubeObject;
    };
    await kube.apply(await excepted('default', SIGNING_KEY, 3600));
    await kube.apply(await excepted(GATE_NAMESPACE, keyFile('wrong.key'), 3600));
    await until('policyexceptions/inc', 'True', GATE_NAMESPACE);
    assert.match((await tries(unsealed)).stderr, /refused: shop/);
    assert.equal(await status('policyexceptions/inc'), '', 'nobody reads it there');
    await kube.apply(await excepted(GATE_NAMESPACE, SIGNING_KEY, 15));
    await kube.until('it is admitted', async () => (await tries(unsealed)).code === 0, 10);
    const warned = await kube.kubectl(['create', '--filename', '-'], pod('excepted', unsealed));
    assert.equal(warned.code, 0, warned.stderr);
    assert.match(warned.stderr, /Warning: .*alice@example\.com/);
    assert.match(warned.stderr, /INC-4711/);
    await kube.until('it is refused again', async () => /refused: shop/.test((await tries(unsealed)).stderr), 40);
  });
});
