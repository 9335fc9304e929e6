// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, GATE_NAME, GATE_NAMESPACE, KubeLab } from './kube-lab.ts';
import { type LabGate } from './lab-gate.ts';
import { keyPolicy, pod, type KubeObject } from './kube-objects.ts';

// What changes while a gate serves, beside policies: certificates, webhook configurations, and the gate itself.

suite('a gate that serves', () => {
  let kube: KubeLab;
  let gate: LabGate;
  let sealed: string;
  let unsealed: string;
  const tries = async (image: string): Promise<string> =>
    (await kube.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('try', image))).stderr;

  before(async () => {
    kube = await KubeLab.start();
    sealed = await kube.sealed('shop/sealed');
    unsealed = await kube.image('shop/unsealed');
    gate = await kube.gate();
    await kube.apply(keyPolicy('shop', ['localhost:*/**']));
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });
  after(() => kube.close());

  test('renews its certificate and its authority under load, and no request fails', async () => {
    const old = await certificates(kube);
    const failures: string[] = [];
    let reviews = 0;
    const done = new AbortController();
    const load = Array.from({ length: 4 }, async () => {
      for (; !done.signal.aborted; reviews++) {
        const said = await tries(sealed);
        if (said !== '') failures.push(said);
      }
    });
    await kube.does([
      'annotate',
      'secret',
      `${GATE_NAME}-tls`,
      '--namespace',
      GATE_NAMESPACE,
      'policy.bulla/rotate=now',
    ]);
    await gate.said(({ message }) => message === 'certificates: made a new authority beside the old one');
    await gate.said(({ message }) => message === 'certificates: serve a certificate by the new authority');
    await gate.said(({ message }) => message === 'certificates: took the old authority away', 40);
    await sleep(1000);
    done.abort();
    await Promise.all(load);
    assert.deepEqual(failures, []);
    assert.ok(reviews > 10, `${reviews} reviews`);
    const now = await certificates(kube);
    assert.notEqual(now.bundle, old.bundle);
    assert.notEqual(now.serial, old.serial);
    assert.equal(now.bundle.match(/BEGIN CERTIFICATE/g)?.length, 1);
  });

  test('puts webhook configurations back that somebody deletes or changes, and raises an alarm', async () => {
    await kube.does(['delete', 'validatingwebhookconfiguration', GATE_NAME]);
    await gate.said(({ message, reason = '' }) => message.startsWith('ALARM') && reason.includes('was deleted'));
    await kube.gated();
    const patch = '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]';
    await kube.does(['patch', 'validatingwebhookconfiguration', GATE_NAME, '--type', 'json', '--patch', patch]);
    await gate.said(({ message, reason = '' }) => message.startsWith('ALARM') && reason.includes('was changed'));
    const selector = '[{"op":"add","path":"/webhooks/0/objectSelector","value":{"matchLabels":{"judge":"me"}}}]';
    await kube.does(['patch', 'mutatingwebhookconfiguration', GATE_NAME, '--type', 'json', '--patch', selector]);
    await kube.until('both are as they were', async () => {
      const policy = await kube.field(`validatingwebhookconfiguration/${GATE_NAME}`, '.webhooks[0].failurePolicy');
      const selects = await kube.field(`mutatingwebhookconfiguration/${GATE_NAME}`, '.webhooks[0].objectSelector');
      return policy === 'Fail' && selects === '{}';
    });
  });

  test('takes its mutating configuration away where it is to mutate nothing, and makes it where it is to', async () => {
    const there = async (): Promise<boolean> =>
      (await kube.kubectl(['get', 'mutatingwebhookconfiguration', GATE_NAME])).code === 0;
    assert.ok(await there());
    await gate.stop();
    gate = await kube.serve(gate.port, ['--mutate', 'none']);
    await kube.until('it is gone', async () => !(await there()));
    await sleep(1000);
    assert.ok(!(await there()));
    assert.match(await tries(sealed), /name it by its digest|by its digest|digest/);
    await gate.stop();
    gate = await kube.serve(gate.port);
    await kube.until('it is there', there);
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });

  test('makes its Secret anew when it is gone', async () => {
    await kube.does(['delete', 'secret', `${GATE_NAME}-tls`, '--namespace', GATE_NAMESPACE]);
    await kube.until('the gate answers by a new certificate', async () => /refused: shop/.test(await tries(unsealed)));
    assert.equal(await tries(sealed), '');
  });

  test('raises an alarm where a definition lets go of what it does not know', async () => {
    const name = 'clusterimagepolicies.policy.sigstore.dev';
    const ours = JSON.parse(await kube.does(['get', 'crd', name, '--output', 'json'])) as object;
    const narrow =
      '[{"op":"remove","path":"/spec/versions/1/schema/openAPIV3Schema/properties/spec/x-kubernetes-preserve-unknown-fields"}]';
    await kube.does(['patch', 'crd', name, '--type', 'json', '--patch', narrow]);
    const other = await kube.serve(await freePort(), [], `https://127.0.0.1:${gate.port}`);
    await other.said(({ message, reason = '' }) => message === 'ALARM' && reason.includes('lets go of fields'));
    await other.stop();
    await kube.apply(without(ours) as KubeObject);
  });

  test('fails closed while it is away, and goes on when it is back, mid-flight', async () => {
    await gate.stop('SIGKILL');
    assert.match(await tries(sealed), /failed calling webhook/);
    const waiting = kube.until('it is back', async () => (await tries(sealed)) === '', 60);
    gate = await kube.serve(gate.port);
    await waiting;
    assert.match(await tries(unsealed), /refused: shop/);
    await gate.stop();
    gate = await kube.serve(gate.port);
    assert.equal(await tries(sealed), '');
  });

  test('is written by one of two replicas, and by the other when that is gone', async () => {
    const url = `https://127.0.0.1:${gate.port}`;
    const leads = ({ message }: { readonly message: string }): boolean => message.startsWith('this replica writes');
    await gate.said(leads);
    const second = await kube.serve(await freePort(), [], url);
    assert.ok(!second.log().some(leads), 'both write');
    await gate.stop();
    await second.said(leads, 30);
    await kube.apply(keyPolicy('later', ['localhost:*/later/**']));
    await kube.until('the status is written', async () => {
      return (await kube.field('cip/later', '.status.conditions[0].status')) === 'True';
    });
    gate = await kube.serve(gate.port);
    assert.ok(!gate.log().some(leads), 'both write');
    await second.stop('SIGKILL');
    // a crash gives nothing back: the lease ends by itself
    await gate.said(leads, 40);
  });
});

async function certificates(kube: KubeLab): Promise<{ readonly bundle: string; readonly serial: string }> {
  const text = async (object: string, path: string): Promise<string> =>
    Buffer.from(await kube.field(object, path, GATE_NAMESPACE), 'base64').toString();
  const bundle = await text(`validatingwebhookconfiguration/${GATE_NAME}`, '.webhooks[0].clientConfig.caBundle');
  const served = await text(`secret/${GATE_NAME}-tls`, '.data.tls\\.crt');
  return { bundle, serial: new X509Certificate(served).serialNumber };
}

/** An object as it is to be again, whatever its version is by now. */
function without(object: object): object {
  const { metadata, ...rest } = object as { readonly metadata: KubeObject };
  return { ...rest, metadata: { name: metadata['name'], labels: metadata['labels'] } };
}
