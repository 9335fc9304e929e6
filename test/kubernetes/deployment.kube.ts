// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { canMount, runContainer, type Container } from './gate-container.ts';
import { freePort, GATE_NAME, GATE_NAMESPACE, KubeLab } from './kube-lab.ts';
import { keyPolicy, pod, type KubeObject } from './kube-objects.ts';

// There is no kubelet, so that nothing runs the Deployment that `bulla admission install` prints. Here its container is run by hand: the same arguments and
// variables, and the service account where a Pod finds it. Everything is as in a cluster but the way from the API server to the Service.

suite('the container of the Deployment', { skip: canMount ? false : 'no mount namespaces here' }, () => {
  let kube: KubeLab;
  let gate: ChildProcess;
  let port: number;
  let log = '';
  before(async () => {
    kube = await KubeLab.start();
    const image = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;
    const flags = ['--image', image, '--kubernetes-version', '1.20', '--resource', 'example.com/*/trainings'];
    const printed = await kube.lab.bulla(['admission', 'install', '--json', ...flags]);
    assert.equal(printed.code, 0, printed.stderr);
    const { items } = JSON.parse(printed.stdout) as { readonly items: readonly KubeObject[] };
    await kube.apply(...items);
    const deployment = items.find(({ kind }) => kind === 'Deployment') as {
      readonly spec: { readonly template: { readonly spec: { readonly containers: readonly [Container] } } };
    };
    const [container] = deployment.spec.template.spec.containers;
    port = await freePort();
    gate = await runContainer(kube, container, { host: '127.0.0.1', port });
    gate.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
    await kube.until('it serves', async () => {
      assert.equal(gate.exitCode, null, log);
      return log.includes('"serving https');
    });
  });
  after(async () => {
    if (gate.exitCode === null && gate.signalCode === null) {
      gate.kill('SIGTERM');
      await once(gate, 'exit');
    }
    await kube.close();
  });

  const secret = async (name: string): Promise<string> =>
    Buffer.from(await kube.field(`secret/${GATE_NAME}-tls`, `.data.${name}`, GATE_NAMESPACE), 'base64').toString();
  const ask = async (path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }> => {
    const ca = await secret('ca\\.crt');
    const servername = `${GATE_NAME}.${GATE_NAMESPACE}.svc`;
    const asked = request({
      host: '127.0.0.1',
      port,
      path,
      ca,
      servername,
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [AsyncIterable<Buffer> & { readonly statusCode: number }];
    let text = '';
    for await (const chunk of response) text += chunk.toString();
    return { status: response.statusCode, text };
  };

  test('answers by the name of its Service, by an authority of its own, and is ready', async () => {
    assert.deepEqual(await ask('/healthz').then(({ status }) => status), 200);
    await kube.until('it is ready', async () => (await ask('/readyz')).status === 200);
  });

  test('has put its authority into both webhook configurations, which lead to its Service', async () => {
    const expected = Buffer.from(await secret('ca\\.crt')).toString('base64');
    for (const kind of ['validating', 'mutating']) {
      await kube.until('the bundle is there', async () => {
        return (
          (await kube.field(`${kind}webhookconfiguration/${GATE_NAME}`, '.webhooks[0].clientConfig.caBundle')) ===
          expected
        );
      });
      const service = JSON.parse(
        await kube.field(`${kind}webhookconfiguration/${GATE_NAME}`, '.webhooks[0].clientConfig.service'),
      ) as KubeObject;
      assert.deepEqual([service['namespace'], service['name'], service['port']], [GATE_NAMESPACE, GATE_NAME, 443]);
    }
    await sleep(1500);
    assert.doesNotMatch(log, /was (?:changed|deleted) by somebody else/, 'what it installed is what it keeps');
  });

  test('judges by the policies of the cluster', async () => {
    await kube.apply(keyPolicy('all', ['**']));
    await kube.until('the policy is in force', async () => {
      return (await kube.field('cip/all', '.status.conditions[0].status')) === 'True';
    });
    const kind = { group: '', version: 'v1', kind: 'Pod' };
    const object = pod('x', `127.0.0.1:1/x@sha256:${'a'.repeat(64)}`);
    const asked = {
      uid: 'u',
      kind,
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: 'default',
      name: 'x',
    };
    const review = {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { ...asked, userInfo: { username: 'x' }, object, oldObject: null, dryRun: true },
    };
    const { text } = await ask('/validate?timeout=5s', review);
    assert.match(text, /"allowed":false.*127\.0\.0\.1:1/);
  });

  test('says that this API server does not guard the label by which its namespace is left out', () => {
    assert.match(log, /"ALARM".*older than 1\.21/);
  });

  test('is away at once when it is told to end', async () => {
    gate.kill('SIGTERM');
    const [code] = (await once(gate, 'exit')) as [number | null];
    assert.equal(code, 0, log);
    const holder = await kube.field('lease/bulla-gate', '.spec.holderIdentity', GATE_NAMESPACE);
    assert.equal(holder, '');
  });
});
