// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import { runClient, type ClientRun } from '../interop/clients.ts';
import { CASES, CHART, IMAGE, RELEASE } from './chart-cases.ts';
import { canMount, runContainer, type Container } from './gate-container.ts';
import { GATE_NAME, KubeLab } from './kube-lab.ts';
import { keyPolicy, pod, type KubeObject } from './kube-objects.ts';
import { labGate, type LabGate } from './lab-gate.ts';

// The chart by the real Helm, with the gate's container run by hand at the address of its Service. Helm and the gate both write the webhook
// configurations, and neither must stand in the way of the other: at an upgrade, and when the gate is taken away.

const { status, stdout } = spawnSync(join(import.meta.dirname, '..', 'tools', 'helm'), ['where'], { encoding: 'utf8' });
const helm = status === 0 ? stdout.trim() : undefined;
const skip =
  helm === undefined ? 'Helm is not here: test/tools/helm install' : canMount ? false : 'no mount namespaces';

suite('the chart, by Helm itself', { skip }, () => {
  let kube: KubeLab;
  let gate: LabGate;
  let chart: string;
  const run = async (...args: readonly string[]): Promise<ClientRun> =>
    await runClient(helm ?? '', [...args, '--namespace', RELEASE, '--kubeconfig', kube.adminConfig], {
      home: kube.lab.folder(),
    });
  const does = async (...args: readonly string[]): Promise<string> => {
    const ran = await run(...args);
    assert.equal(ran.code, 0, `helm ${args.join(' ')}\n${ran.stderr}`);
    return ran.stdout;
  };
  const release = async (verb: 'install' | 'upgrade', ...sets: readonly string[]): Promise<string> =>
    await does(verb, 'bulla', chart, ...[`image=${IMAGE}`, ...sets].flatMap((set) => ['--set', set]));
  const tries = async (image: string): Promise<string> =>
    (await kube.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('try', image))).stderr;
  const configurations = async (): Promise<string> =>
    await kube.does(['get', 'validatingwebhookconfigurations,mutatingwebhookconfigurations', '--output', 'name']);
  const timeouts = async (): Promise<string> =>
    await kube.does([
      'get',
      'validatingwebhookconfigurations,mutatingwebhookconfigurations',
      '--output',
      'jsonpath={.items[*].webhooks[0].timeoutSeconds}',
    ]);
  const alarms = (): readonly string[] =>
    gate.log().flatMap(({ message, reason = '' }) => (message === 'ALARM' && !reason.includes('1.21') ? [reason] : []));

  /** What a kubelet does once the Deployment says something else: the gate that the cluster has is exchanged for one by its arguments of now. */
  async function exchange(): Promise<void> {
    const { containers } = JSON.parse(await kube.field(`deployment/${GATE_NAME}`, '.spec.template.spec', RELEASE)) as {
      readonly containers: readonly [Container];
    };
    const host = await kube.field(`service/${GATE_NAME}`, '.spec.clusterIP', RELEASE);
    assert.match(host, /^127\./, 'Services are on loopback here');
    if ((gate as LabGate | undefined) !== undefined) await gate.stop();
    gate = labGate(await runContainer(kube, containers[0], { host, port: 443 }), 443);
    await gate.said(({ message }) => message.startsWith('serving https'), 40);
    await gate.said(({ message }) => message.startsWith('this replica writes'), 40);
  }

  before(async () => {
    kube = await KubeLab.start();
    // what an API server does by itself from 1.21 on
    const metadata = { name: RELEASE, labels: { 'kubernetes.io/metadata.name': RELEASE } };
    await kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    chart = join(kube.lab.folder(), 'bulla');
    cpSync(CHART, chart, { recursive: true });
    const about = readFileSync(join(chart, 'Chart.yaml'), 'utf8');
    // 1.20 is older than what the chart is for, and has another version of disruption budgets
    writeFileSync(join(chart, 'Chart.yaml'), about.replace(/^kubeVersion: .*$/m, "kubeVersion: '>=1.20.0-0'"));
    const runs = join(chart, 'templates', 'gate.yaml');
    writeFileSync(runs, readFileSync(runs, 'utf8').replace('apiVersion: policy/v1\n', 'apiVersion: policy/v1beta1\n'));
  });
  after(async () => {
    if ((gate as LabGate | undefined) !== undefined) await gate.stop();
    await kube.close();
  });

  test('finds nothing wrong with it', async () => {
    assert.match(
      await does('lint', '--strict', CHART, '--set', `image=${IMAGE}`),
      /1 chart\(s\) linted, 0 chart\(s\) failed/,
    );
  });

  test('asks for the image of the gate, by its digest', async () => {
    for (const set of ['name=other', 'image=registry.example.com/bulla:latest']) {
      const { code, stderr } = await run('template', 'bulla', CHART, '--set', set);
      assert.equal(code, 1);
      assert.match(stderr, /image'?: .*does not match pattern/i);
    }
  });

  test('refuses a cluster that does not guard the label by which namespaces are left out', async () => {
    const { code, stderr } = await run('install', 'bulla', CHART, '--set', `image=${IMAGE}`);
    assert.equal(code, 1);
    assert.match(stderr, /requires kubeVersion: >=1\.21/);
  });

  for (const [what, { values, flags }] of Object.entries(CASES))
    test(`makes of it what 'bulla admission install' prints, with ${what}`, async () => {
      const given = join(kube.lab.folder(), 'values.json');
      writeFileSync(given, JSON.stringify({ image: IMAGE, ...values }));
      const text = await does('template', 'bulla', CHART, '--values', given);
      const made = parseAllDocuments(text).flatMap((document): readonly KubeObject[] => {
        const value = document.toJS() as KubeObject | null;
        return value === null ? [] : [value];
      });
      const install = ['admission', 'install', '--json', '--image', IMAGE, '--namespace', RELEASE, ...flags];
      const { items } = JSON.parse((await kube.lab.bulla(install)).stdout) as { readonly items: readonly KubeObject[] };
      const named = (objects: readonly KubeObject[]): readonly string[] =>
        objects
          .map(({ kind, metadata }) => `${kind as string}/${(metadata as KubeObject)['name'] as string}`)
          .toSorted();
      assert.deepEqual(named(made), named(items.filter(({ kind }) => kind !== 'Namespace')));
      for (const object of items.filter(
        ({ kind }) => !['Namespace', 'CustomResourceDefinition'].includes(kind as string),
      ))
        assert.ok(
          made.some((one) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(object))),
          JSON.stringify(object),
        );
    });

  test('installs it, and the API server asks the gate through its Service', async () => {
    await release('install');
    await exchange();
    await kube.apply(keyPolicy('shop', ['localhost:*/**']));
    const [sealed, unsealed] = [await kube.sealed('shop/sealed'), await kube.image('shop/unsealed')];
    await kube.until('the sealed image is admitted', async () => (await tries(sealed)) === '');
    assert.match(await tries(unsealed), /refused: shop/);
    assert.equal((await kube.kubectl(['create', '--filename', '-'], pod('pinned', sealed))).code, 0);
    assert.match(await kube.field('pod/pinned', '.spec.containers[0].image'), /:single@sha256:/);
  });

  for (const seconds of [7, 8])
    test(`upgrades to a timeout of ${seconds} s while the gate of before serves, which leaves it to its successor`, async () => {
      await release('upgrade', `timeoutSeconds=${seconds}`);
      await sleep(2000);
      assert.equal(await timeouts(), `${seconds} ${seconds}`);
      assert.deepEqual(alarms(), []);
      await exchange();
      await sleep(1000);
      assert.equal(await timeouts(), `${seconds} ${seconds}`);
      assert.deepEqual(alarms(), []);
      assert.match(await tries('localhost:1/shop/x:1'), /denied the request/);
    });

  test('lets nobody else change what it has made', async () => {
    const patch = '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]';
    await kube.does(['patch', 'validatingwebhookconfiguration', GATE_NAME, '--type', 'json', '--patch', patch]);
    await gate.said(({ message, reason = '' }) => message === 'ALARM' && reason.includes('was changed'));
    await kube.does(['delete', 'mutatingwebhookconfiguration', GATE_NAME]);
    await gate.said(({ message, reason = '' }) => message === 'ALARM' && reason.includes('was deleted'));
    await kube.until('both are there', async () => (await configurations()).split('\n').length === 3);
    await release('upgrade', 'timeoutSeconds=8');
  });

  test('takes the mutating webhook away where nothing is to be pinned any more, and it stays away', async () => {
    await release('upgrade', 'timeoutSeconds=8', 'mutate=none');
    await exchange();
    await sleep(2000);
    assert.equal(await configurations(), `validatingwebhookconfiguration.admissionregistration.k8s.io/${GATE_NAME}\n`);
    await release('upgrade', 'timeoutSeconds=8');
    await exchange();
    await kube.until('both are there', async () => (await configurations()).split('\n').length === 3);
  });

  test('takes the gate away while it serves, and no webhook stays behind that would stop the cluster', async () => {
    await does('uninstall', 'bulla');
    await kube.until('no configuration is there', async () => (await configurations()) === '');
    await gate.stop();
    await sleep(2000);
    assert.equal(await configurations(), '');
    await kube.create(pod('free', 'localhost:1/any:1'));
    assert.equal(await kube.field('cip/shop', '.metadata.name'), 'shop', 'the policies stay');
    await release('install');
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, sorted(inner)]),
  );
}
