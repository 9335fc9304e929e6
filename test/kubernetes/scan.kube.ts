// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { KubeLab, OTHER_PUBLIC_KEY } from './kube-lab.ts';
import { keyPolicy, pod, workload } from './kube-objects.ts';

// `bulla scan` of a cluster: what would be refused now.

interface Scan {
  readonly exitCode: number;
  readonly outcome: string;
  readonly images: readonly {
    readonly image: string;
    readonly outcome: string;
    readonly run: readonly { readonly kind: string; readonly name: string; readonly field: string }[];
  }[];
}

suite('a scan of a cluster', () => {
  let kube: KubeLab;
  let sealed: string;
  let unsealed: string;
  const scan = async (...flags: readonly string[]): Promise<Scan> => {
    const { code, stdout, stderr } = await kube.lab.bulla([
      'scan',
      '--json',
      '--kubeconfig',
      kube.adminConfig,
      ...flags,
    ]);
    assert.notEqual(stdout, '', stderr);
    const document = JSON.parse(stdout) as Scan;
    assert.equal(document.exitCode, code);
    return document;
  };

  before(async () => {
    kube = await KubeLab.start();
    sealed = await kube.sealed('shop/sealed');
    unsealed = await kube.image('shop/unsealed');
    // a gate that is not there: only its resources are
    await kube.install(1);
    await kube.does(['delete', 'validatingwebhookconfigurations,mutatingwebhookconfigurations', '--all']);
    await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**']));
    await kube.create(workload('Deployment', 'good', sealed));
    await kube.create(workload('CronJob', 'nightly', sealed));
    await kube.until('the Pod is there', async () => (await kube.does(['get', 'pods', '--output', 'name'])) !== '');
  });
  after(() => kube.close());

  test('trusts what runs sealed images, by the policies of the cluster', async () => {
    const { exitCode, outcome, images } = await scan();
    assert.deepEqual([exitCode, outcome], [0, 'trusted']);
    const [image, ...others] = images;
    assert.deepEqual([image?.image, others], [sealed, []]);
    const kinds = image?.run.map(({ kind }) => kind).toSorted();
    assert.deepEqual(kinds, ['CronJob', 'Deployment', 'Pod', 'ReplicaSet']);
  });

  test('finds what would be refused, and who runs it', async () => {
    for (let at = 0; at < 3; at++) await kube.create(pod(`bad-${at}`, unsealed));
    const { exitCode, images } = await scan('--namespace', 'default');
    assert.equal(exitCode, 1);
    const bad = images.find(({ outcome }) => outcome === 'refused');
    assert.equal(bad?.image, unsealed);
    assert.deepEqual(bad?.run.map(({ name }) => name).toSorted(), ['bad-0', 'bad-1', 'bad-2']);
    const said = await kube.lab.bulla(['scan', '--kubeconfig', kube.adminConfig]);
    assert.match(said.stdout, /run by Pod default\/bad-0 \(spec\.containers\[0\]\.image\)/);
    assert.match(said.stdout, /2 images of \d+ objects: 1 trusted, 1 would be refused now, 0 undecided/);
    assert.equal((await scan('--exclude-namespace', 'default')).exitCode, 0);
  });

  test('judges the digest that runs, and not what its tag names by now', async () => {
    const name = unsealed.replace(/:single$/, '');
    const running = { name: 'main', imageID: `docker-pullable://${name}@sha256:${'0'.repeat(64)}` };
    const path = '/api/v1/namespaces/default/pods/bad-0/status';
    const found = JSON.parse(await kube.does(['get', 'pod/bad-0', '--output', 'json'])) as { readonly status: object };
    const statuses = [{ ...running, image: unsealed, ready: true, restartCount: 0, state: {}, lastState: {} }];
    const body = { ...found, status: { ...found.status, phase: 'Running', containerStatuses: statuses } };
    await kube.does(['replace', '--raw', path, '--filename', '-'], body);
    const { images } = await scan();
    assert.ok(
      images.some(({ image, outcome }) => image === `${unsealed}@sha256:${'0'.repeat(64)}` && outcome !== 'trusted'),
    );
  });

  test('judges by policies that are not in the cluster yet', async () => {
    const file = join(kube.lab.folder(), 'next.json');
    writeFileSync(file, JSON.stringify(keyPolicy('next', ['**'], {}, OTHER_PUBLIC_KEY)));
    const { images } = await scan('--policy', file);
    assert.equal(images.find(({ image }) => image === sealed)?.outcome, 'refused');
  });

  test('judges a list that kubectl has written, without the cluster', async () => {
    const folder = kube.lab.folder();
    writeFileSync(join(folder, 'policy.json'), JSON.stringify(keyPolicy('sealed-by-us', ['localhost:*/**'])));
    const list = await kube.does([
      'get',
      'pods,deployments,cronjobs.v1beta1.batch',
      '--all-namespaces',
      '--output',
      'json',
    ]);
    const flags = ['scan', '--json', '--list', '-', '--policy', join(folder, 'policy.json')];
    const { code, stdout, stderr } = await kube.lab.bulla(flags, { input: list });
    assert.equal(code, 1, stderr);
    assert.ok((JSON.parse(stdout) as Scan).images.some(({ image }) => image === unsealed));
  });

  test('says which policy cannot be used, and refuses what it could be about', async () => {
    await kube.apply(keyPolicy('broken', ['localhost:*/shop/sealed*'], {}, 'no key'));
    const { code, stdout, stderr } = await kube.lab.bulla(['scan', '--kubeconfig', kube.adminConfig]);
    assert.equal(code, 1);
    assert.match(stderr, /broken cannot be used: spec\.authorities\[0\]\.key\.data/);
    assert.match(stdout, /shop\/sealed/);
  });

  test('is undecided, and not content, where a cluster does not answer', async () => {
    const config = join(kube.lab.folder(), 'nowhere');
    const cluster = { name: 'c', cluster: { server: 'https://127.0.0.1:1' } };
    const context = { name: 'x', context: { cluster: 'c', user: 'u' } };
    writeFileSync(
      config,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [cluster],
        users: [{ name: 'u', user: {} }],
        contexts: [context],
        'current-context': 'x',
      }),
    );
    const { code, stderr } = await kube.lab.bulla(['scan', '--kubeconfig', config]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /127\.0\.0\.1:1/);
  });
});
