// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { CASES, CHART, IMAGE, RELEASE } from './chart-cases.ts';
import { KubeLab } from './kube-lab.ts';
import { type KubeObject } from './kube-objects.ts';

// Also where Helm is missing: what its chart installs is filled in here by the template engine of kubectl, which is Helm's (Go's text/template), and
// compared with what `bulla admission install` prints; then the API server takes it.

suite('what the Helm chart installs', () => {
  let kube: KubeLab;
  before(async () => {
    kube = await KubeLab.start();
    // an object with whatever fields, for kubectl to fill templates in from
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const names = { kind: 'Filling', plural: 'fillings', singular: 'filling' };
    const versions = [{ name: 'v1', served: true, storage: true, schema }];
    const spec = { group: 'test.bulla', scope: 'Cluster', names, versions };
    await kube.create({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'fillings.test.bulla' },
      spec,
    });
    await kube.does(['wait', '--for', 'condition=Established', '--timeout', '20s', 'crd/fillings.test.bulla']);
  });
  after(() => kube.close());

  async function filled(values: KubeObject): Promise<readonly KubeObject[]> {
    const given = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as KubeObject;
    const filling = {
      apiVersion: 'test.bulla/v1',
      kind: 'Filling',
      metadata: { name: 'x' },
      Values: { ...given, image: IMAGE, ...values },
      Release: { Namespace: RELEASE },
    };
    const objects: KubeObject[] = [];
    for (const name of ['definitions', 'roles', 'gate', 'webhooks']) {
      const path = join(CHART, 'templates', `${name}.yaml`);
      const flags = [
        'create',
        '--dry-run=client',
        '--validate=false',
        '--filename',
        '-',
        '--output',
        `go-template-file=${path}`,
      ];
      const text = await kube.does(flags, filling);
      for (const document of parseAllDocuments(text)) {
        assert.deepEqual(document.errors, []);
        const value = document.toJS() as KubeObject | null;
        if (value !== null) objects.push(value);
      }
    }
    return objects;
  }

  for (const [what, { values, flags }] of Object.entries(CASES))
    test(`is what 'bulla admission install' prints, with ${what}`, async () => {
      const objects = await filled(values);
      const printed = await kube.lab.bulla([
        'admission',
        'install',
        '--json',
        '--image',
        IMAGE,
        '--namespace',
        RELEASE,
        ...flags,
      ]);
      assert.equal(printed.code, 0, printed.stderr);
      const { items } = JSON.parse(printed.stdout) as { readonly items: readonly KubeObject[] };
      // Helm makes the namespace itself, and keeps the definitions when the chart goes
      const expected = items.filter(({ kind }) => kind !== 'Namespace');
      assert.deepEqual(objects.map(withoutNote), expected);
    });

  test('is taken by the API server', async () => {
    await kube.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE } });
    const objects = (await filled({})).map((object) =>
      // 1.20 serves no other; Helm does not install the chart there
      object['kind'] === 'PodDisruptionBudget' ? { ...object, apiVersion: 'policy/v1beta1' } : object,
    );
    const runs = objects.filter(({ kind }) => !(kind as string).endsWith('WebhookConfiguration'));
    const webhooks = objects.filter(({ kind }) => (kind as string).endsWith('WebhookConfiguration'));
    await kube.apply(...runs);
    await kube.apply(...webhooks);
    assert.equal(await kube.field('deployment/bulla-gate', '.spec.replicas', RELEASE), '2');
  });
});

function withoutNote(object: KubeObject): KubeObject {
  if (object['kind'] !== 'CustomResourceDefinition') return object;
  const { annotations, ...metadata } = object['metadata'] as KubeObject;
  assert.deepEqual(annotations, { 'helm.sh/resource-policy': 'keep' });
  return { ...object, metadata };
}
