// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { SINGLE } from '../interop/lab.ts';
import { freePort, GATE_NAME, GATE_NAMESPACE, KubeLab, OTHER_PUBLIC_KEY } from './kube-lab.ts';
import { type LabGate } from './lab-gate.ts';
import { keyPolicy, pod, type KubeObject, PUBLIC_KEY } from './kube-objects.ts';

// Everything that changes while a gate serves: policies, Secrets, certificates, webhook configurations, and the gate itself.

suite('a gate that serves', () => {
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

  test('refuses what a broken policy could be about, says why, and goes on with the others', async () => {
    const broken = {
      images: [{ glob: 'localhost:*/shop/sealed*' }],
      authorities: [{ name: 'key', key: { data: 'no key' } }],
    };
    await kube.apply(keyPolicy('extra', ['unused'], broken));
    await inForce('extra', 'False', 'spec.authorities[0].key.data');
    assert.match(await tries(sealed), /extra: .*cannot be used: spec\.authorities\[0\]\.key\.data/);
    assert.match(await tries(unsealed), /refused: shop/);
    await kube.does(['delete', 'cip/extra']);
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });

  test('finds out that a field is mistyped, rather than letting it fall', async () => {
    const policy = keyPolicy('typo', ['localhost:*/shop/sealed*'], { authorites: [] });
    await kube.does(['apply', '--validate=false', '--filename', '-'], policy);
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
    await kube.apply({ ...settings, spec: { revocations: [{ reason: 'of whom?' }] } });
    await kube.until('the sealed image is refused', async () =>
      /policysettings\.cluster: .*cannot be used/.test(await tries(sealed)),
    );
    await kube.does(['delete', 'policysettings/cluster']);
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
  });

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
    await inForce('later', 'True');
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
