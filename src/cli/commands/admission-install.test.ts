// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { runRecorded } from '../recording-host.fixture.ts';

const IMAGE = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;

type KubeObject = { readonly kind: string; readonly [key: string]: unknown };

async function installed(...flags: readonly string[]): Promise<readonly KubeObject[]> {
  const { code, stdout, stderr } = await runRecorded(['admission', 'install', '--image', IMAGE, ...flags]);
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
}

async function refused(...flags: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runRecorded(['admission', 'install', ...flags]);
  assert.equal(code, 1);
  assert.equal(stdout, '');
  return stderr;
}

function find(objects: readonly KubeObject[], kind: string): string {
  return JSON.stringify(objects.filter((object) => object.kind === kind));
}

suite('bulla admission install', () => {
  test('prints the same bytes for the same flags', async () => {
    const [first, second] = await Promise.all(
      [0, 1].map(() => runRecorded(['admission', 'install', '--image', IMAGE])),
    );
    assert.equal(first?.stdout, second?.stdout);
  });

  test('prints as JSON what it prints as YAML', async () => {
    const { stdout } = await runRecorded(['admission', 'install', '--json', '--image', IMAGE]);
    assert.deepEqual((JSON.parse(stdout) as { readonly items: unknown }).items, await installed());
  });

  test('gives the gate no way to become more than it is', async () => {
    const objects = await installed();
    const deployment = find(objects, 'Deployment');
    for (const part of [
      '"runAsNonRoot":true',
      '"readOnlyRootFilesystem":true',
      '"allowPrivilegeEscalation":false',
      '"drop":["ALL"]',
      '"RuntimeDefault"',
      '"memory":"512Mi"',
    ])
      assert.ok(deployment.includes(part), part);
    assert.match(deployment, /"replicas":2/);
    assert.match(find(objects, 'PodDisruptionBudget'), /"maxUnavailable":1/);
    const roles = find(objects, 'ClusterRole') + find(objects, 'Role');
    // its own mutating configuration goes where it is to mutate nothing
    const own =
      '{"apiGroups":["admissionregistration.k8s.io"],"resources":["mutatingwebhookconfigurations"],"resourceNames":["bulla-gate"],"verbs":["delete"]}';
    assert.ok(roles.includes(own));
    assert.doesNotMatch(roles.replace(own, ''), /"\*"|escalate|bind|impersonate|delete/);
  });

  test('pulls the image of the gate by the Secrets that are named, and by none unless told', async () => {
    assert.ok(!find(await installed(), 'Deployment').includes('imagePullSecrets'));
    const objects = await installed('--image-pull-secret', 'one', '--image-pull-secret', 'two.more');
    assert.ok(find(objects, 'Deployment').includes('"imagePullSecrets":[{"name":"one"},{"name":"two.more"}]'));
  });

  test('lets it read the Secrets of workloads by name only, or not at all', async () => {
    const rule = /\{"apiGroups":\[""\],"resources":\["secrets","serviceaccounts"\],"verbs":\["get"\]\}/;
    assert.match(find(await installed(), 'ClusterRole'), rule);
    assert.doesNotMatch(find(await installed('--pull-secrets=false'), 'ClusterRole'), /secrets/);
  });

  test('runs nothing inside where the gate is outside', async () => {
    const { stdout } = await runRecorded(['admission', 'install', '--url', 'https://gate.example.com:8443/']);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
    assert.ok(!objects.some(({ kind }) => ['Deployment', 'Service', 'NetworkPolicy'].includes(kind)));
    const webhook = find(objects, 'ValidatingWebhookConfiguration');
    assert.match(webhook, /"url":"https:\/\/gate\.example\.com:8443\/validate"/);
    assert.match(webhook, /"namespaceSelector":\{\}/);
  });

  test('leaves its own namespace and the system out by name, and judges the system where it is told to', async () => {
    const system = find(await installed(), 'ValidatingWebhookConfiguration');
    assert.match(system, /"values":\["bulla-system","kube-system","kube-node-lease","kube-public"\]/);
    assert.match(
      find(await installed('--system-namespaces'), 'ValidatingWebhookConfiguration'),
      /"values":\["bulla-system"\]/,
    );
  });

  test('knows what a cluster before 1.21 calls a disruption budget', async () => {
    assert.match(find(await installed('--kubernetes-version', 'v1.20.2'), 'PodDisruptionBudget'), /"policy\/v1beta1"/);
    assert.match(find(await installed('--kubernetes-version', '1.36'), 'PodDisruptionBudget'), /"policy\/v1"/);
  });

  test('gives the gate arguments that it takes', async () => {
    const objects = await installed(
      '--mutate',
      'workloads',
      '--resource',
      'example.com/*/trainings',
      '--exclude-namespace',
      'a,b',
    );
    const deployment = objects.find(({ kind }) => kind === 'Deployment') as unknown as {
      readonly spec: {
        readonly template: { readonly spec: { readonly containers: readonly [{ readonly args: readonly string[] }] } };
      };
    };
    const { args } = deployment.spec.template.spec.containers[0];
    const { stderr } = await runRecorded([...args]);
    assert.match(stderr, /this runs in no Pod/);
  });

  for (const [what, flags, reason] of [
    ['no image', [], /--image is required/],
    ['an image by its tag', ['--image', 'registry.example.com/bulla:1'], /not to be whatever a tag says/],
    ['both an image and an address', ['--image', IMAGE, '--url', 'https://x'], /exclude one another/],
    ['an address without TLS', ['--url', 'http://gate.example.com'], /expected an https address/],
    ['an address with a password', ['--url', 'https://a:b@gate.example.com'], /expected an https address/],
    ['no name of a namespace', ['--image', IMAGE, '--namespace', 'A b'], /the name of a namespace/],
    ['no name', ['--image', IMAGE, '--name', 'x/y'], /lower-case letters/],
    ['half a second', ['--image', IMAGE, '--webhook-timeout', '500ms'], /whole seconds from 1s to 30s/],
    ['31 seconds', ['--image', IMAGE, '--webhook-timeout', '31s'], /whole seconds from 1s to 30s/],
    ['a resource in another form', ['--image', IMAGE, '--resource', 'pods'], /GROUP\/VERSION\/PLURAL/],
    ['no Secret', ['--image', IMAGE, '--image-pull-secret', 'A b'], /the name of a Secret/],
    ['no port', ['--image', IMAGE, '--egress-port', '70000'], /a port from 1 to 65535/],
    ['no version', ['--image', IMAGE, '--kubernetes-version', 'latest'], /a version such as 1\.30/],
  ] as const)
    test(`refuses ${what}`, async () => {
      assert.match(await refused(...flags), reason);
    });
});
