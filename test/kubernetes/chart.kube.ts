// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { KubeLab } from './kube-lab.ts';
import { type KubeObject } from './kube-objects.ts';

// Helm is not in Debian. What its chart would install is filled in here by the template engine of kubectl, which is Helm's (Go's text/template), and
// compared with what `bulla admission install` prints; then the API server takes it.

const CHART = join(import.meta.dirname, '..', '..', 'deploy', 'helm', 'bulla');
const IMAGE = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;
const RELEASE = 'bulla-system';

const CASES: Readonly<Record<string, { readonly values: KubeObject; readonly flags: readonly string[] }>> = {
  'its own values': { values: {}, flags: [] },
  'every value changed': {
    values: {
      name: 'other',
      replicas: 3,
      timeoutSeconds: 7,
      mutate: 'workloads',
      excludedNamespaces: ['kube-system', 'kube-node-lease', 'kube-public', 'istio-system'],
      resources: [{ group: 'example.com', version: '*', plural: 'trainings' }],
      pullSecrets: false,
      egressPorts: [80, 443, 5000, 6443],
      disruptionVersion: 'policy/v1beta1',
      priorityClass: '',
      arguments: ['--tag-age=10s', '--data=/var/lib/bulla "x"'],
    },
    flags: [
      '--name=other',
      '--replicas=3',
      '--webhook-timeout=7s',
      '--mutate=workloads',
      '--exclude-namespace=istio-system',
      '--resource=example.com/*/trainings',
      '--pull-secrets=false',
      '--egress-port=5000',
      '--kubernetes-version=1.20',
      '--priority-class=',
      '--argument=--tag-age=10s',
      '--argument=--data=/var/lib/bulla "x"',
    ],
  },
  'no mutation, and nothing left out': {
    values: { mutate: 'none', excludedNamespaces: [] },
    flags: ['--mutate', 'none', '--system-namespaces'],
  },
};

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
    const objects = await filled({ disruptionVersion: 'policy/v1beta1' });
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
