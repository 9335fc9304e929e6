// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { BULLA, SINGLE, succeed, type LabRegistry } from '../interop/lab.ts';
import { KubeLab, SIGNING_KEY } from './kube-lab.ts';
import { keyPolicy, pod, workload, type KubeObject } from './kube-objects.ts';

// Registries that are slow, away, or want to know who asks.

/** `shop:secret`, as htpasswd -B writes it. */
const USERS = 'shop:$2y$05$g1nUAEfPDzHqr6veOIPFD.izLp7OmzecLLOzmUw/y8PvYgWnQ8nea\n';

suite('a gate and its registries', () => {
  let kube: KubeLab;
  let slow: Server;
  let asked = 0;
  before(async () => {
    kube = await KubeLab.start();
    slow = createServer(() => {
      asked += 1; // and never answers
    });
    slow.listen(0, '127.0.0.1');
    await once(slow, 'listening');
    await kube.gate(['--webhook-timeout=3s']);
    await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**', '127.0.0.1:*/**']));
    await kube.until('the policy is in force', async () => {
      return (await kube.field('cip/sealed-by-us', '.status.conditions[0].status')) === 'True';
    });
  });
  after(async () => {
    slow.closeAllConnections();
    slow.close();
    await kube.close();
  });

  test('a registry that does not answer is told of before the API server stops waiting', async () => {
    const { port } = slow.address() as AddressInfo;
    const reason = await kube.refused(
      ['create', '--filename', '-'],
      workload('Deployment', 'slow', `127.0.0.1:${port}/shop/app:1`),
    );
    assert.match(reason, /denied the request: .*undecided/s);
    assert.doesNotMatch(reason, /failed calling webhook|context deadline exceeded/);
    assert.ok(asked > 0);
  });

  test('a registry that is away is told of as such, and never as a missing seal', async () => {
    const reason = await kube.refused(
      ['create', '--filename', '-'],
      workload('Deployment', 'away', 'localhost:1/shop/app:1'),
    );
    assert.match(reason, /undecided: .*refused; cause: unreachable/s);
  });

  suite('that want to know who asks', () => {
    let registry: LabRegistry;
    let image: string;
    const secret = (name: string, host: string, password: string, namespace = 'default'): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/dockerconfigjson',
      metadata: { name, namespace },
      stringData: { '.dockerconfigjson': JSON.stringify({ auths: { [host]: { username: 'shop', password } } }) },
    });
    const deployment = (name: string, spec: KubeObject): KubeObject => {
      const made = workload('Deployment', name, image) as {
        readonly spec: { readonly template: { readonly spec: KubeObject } };
      };
      const template = { ...made.spec.template, spec: { ...made.spec.template.spec, ...spec } };
      return { ...made, spec: { ...made.spec, template } };
    };

    before(async () => {
      const users = join(kube.lab.folder(), 'users');
      writeFileSync(users, USERS);
      const open = await kube.lab.serveBulla();
      const from = await kube.image('shop/private', open);
      registry = await kube.lab.serveBulla(['--htpasswd', users]);
      image = `${registry.host}/shop/private:single`;
      const folder = kube.lab.folder();
      const auth = { auths: { [registry.host]: { auth: Buffer.from('shop:secret').toString('base64') } } };
      writeFileSync(join(folder, 'config.json'), JSON.stringify(auth));
      await succeed(
        'skopeo',
        [
          'copy',
          '--all',
          '--src-tls-verify=false',
          '--dest-tls-verify=false',
          '--dest-creds',
          'shop:secret',
          `docker://${from}`,
          `docker://${image}`,
        ],
        folder,
      );
      await succeed(
        BULLA,
        ['sign', '--key', SIGNING_KEY, '--registry-username', 'shop', '--registry-password', 'secret', image],
        folder,
        { COSIGN_PASSWORD: 'pw' },
      );
    });

    test('tell nobody anything without a secret', async () => {
      const reason = await kube.refused(['create', '--filename', '-'], deployment('nobody', {}));
      assert.match(reason, /undecided/);
    });

    test('answer for a Pod that names a pull secret', async () => {
      await kube.create(secret('pull', registry.host, 'secret'));
      await kube.create(deployment('named', { imagePullSecrets: [{ name: 'pull' }] }));
      await kube.create(pod('named', image, { imagePullSecrets: [{ name: 'pull' }] }));
      assert.equal(await kube.field('pod/named', '.spec.containers[0].image'), `${image}@${SINGLE}`);
    });

    test('answer for a service account that has one', async () => {
      const account = {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'puller' },
        imagePullSecrets: [{ name: 'pull' }],
      };
      await kube.create(account);
      await kube.create(deployment('account', { serviceAccountName: 'puller' }));
    });

    test('are not shown what belongs to another registry', async () => {
      await kube.create(secret('elsewhere', 'localhost:1', 'secret'));
      const reason = await kube.refused(
        ['create', '--filename', '-'],
        deployment('elsewhere', { imagePullSecrets: [{ name: 'elsewhere' }] }),
      );
      assert.match(reason, /undecided/);
    });

    test('do not answer for another namespace what one may read', async () => {
      await kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } });
      const there = ['create', '--namespace', 'other', '--filename', '-'];
      assert.match(
        await kube.refused(there, deployment('other', { imagePullSecrets: [{ name: 'pull' }] })),
        /undecided/,
      );
      await kube.create(secret('pull', registry.host, 'wrong', 'other'));
      assert.match(
        await kube.refused(there, deployment('other', { imagePullSecrets: [{ name: 'pull' }] })),
        /undecided/,
      );
    });

    test('are decided on by the secret that is there, when it is exchanged', async () => {
      await kube.apply(secret('pull', registry.host, 'secret', 'other'));
      const there = ['create', '--namespace', 'other', '--filename', '-'];
      await kube.until(
        'the new secret is used',
        async () => {
          return (await kube.kubectl(there, deployment('other', { imagePullSecrets: [{ name: 'pull' }] }))).code === 0;
        },
        60,
      );
    });
  });
});
