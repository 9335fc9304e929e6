// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { runInProcess } from '../golden/in-process.ts';

// What `bulla admission install` prints has the API server ask the gate about everything that runs images, and fail closed.

interface Rule {
  readonly operations: readonly string[];
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly resources: readonly string[];
}

interface Configuration {
  readonly kind: string;
  readonly webhooks?: readonly {
    readonly failurePolicy: string;
    readonly matchPolicy: string;
    readonly sideEffects: string;
    readonly timeoutSeconds: number;
    readonly admissionReviewVersions: readonly string[];
    readonly objectSelector?: object;
    readonly reinvocationPolicy?: string;
    readonly namespaceSelector?: object;
    readonly rules: readonly Rule[];
  }[];
}

const IMAGE = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;

async function install(...flags: readonly string[]): Promise<readonly Configuration[]> {
  const argv = ['admission', 'install', '--image', IMAGE, ...flags];
  const { code, stdout, stderr } = await runInProcess(argv, { cwd: process.cwd(), env: {} });
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).map((document) => document.toJSON() as Configuration);
}

/** Which groups and resources are asked about. */
function asked(rules: readonly Rule[]): ReadonlySet<string> {
  return new Set(
    rules.flatMap(({ apiGroups, resources }) =>
      apiGroups.flatMap((group) => resources.map((one) => `${group}/${one}`)),
    ),
  );
}

const WORKLOADS = [
  '/pods',
  '/pods/ephemeralcontainers',
  '/replicationcontrollers',
  '/podtemplates',
  'apps/deployments',
  'apps/replicasets',
  'apps/statefulsets',
  'apps/daemonsets',
  'batch/jobs',
  'batch/cronjobs',
];

const byDefault = await install();
const CONFIGURATIONS = {
  'the validating webhook': [byDefault, 'ValidatingWebhookConfiguration'],
  'the mutating webhook, with --mutate workloads': [
    await install('--mutate', 'workloads'),
    'MutatingWebhookConfiguration',
  ],
} as const;

test('the mutating webhook is asked about Pods and their ephemeral containers alone, unless told', () => {
  const found = byDefault.find(({ kind }) => kind === 'MutatingWebhookConfiguration')?.webhooks ?? [];
  assert.deepEqual([...asked(found.flatMap(({ rules }) => rules))].toSorted(), ['/pods', '/pods/ephemeralcontainers']);
});

/** Whether a webhook is asked about the gate's own resources and nothing else. */
function isAboutPolicies({ rules }: { readonly rules: readonly Rule[] }): boolean {
  return rules.every(({ apiGroups }) =>
    apiGroups.every((group) => ['policy.sigstore.dev', 'policy.bulla'].includes(group)),
  );
}

test('nobody is kept from writing a policy where the gate is away, nor ever from deleting one', () => {
  const found = byDefault.find(({ kind }) => kind === 'ValidatingWebhookConfiguration')?.webhooks ?? [];
  const about = found.filter((webhook) => isAboutPolicies(webhook));
  assert.deepEqual(
    about.map(({ failurePolicy }) => failurePolicy),
    ['Ignore'],
  );
  assert.ok(about.every(({ rules }) => rules.every(({ operations }) => !operations.includes('DELETE'))));
});

for (const [title, [documents, kind]] of Object.entries(CONFIGURATIONS))
  describe(title, () => {
    const all = documents.find((document) => document.kind === kind)?.webhooks ?? [];
    const webhooks = all.filter((webhook) => !isAboutPolicies(webhook));
    const rules = webhooks.flatMap((webhook) => webhook.rules);

    test('is asked about every kind of workload, created or updated (row 11)', () => {
      assert.ok(webhooks.length > 0);
      for (const workload of WORKLOADS) assert.ok(asked(rules).has(workload), workload);
      for (const { operations } of rules) assert.deepEqual([...operations].toSorted(), ['CREATE', 'UPDATE']);
    });
    test('is asked about a CronJob of v1beta1 too, which older servers have', () => {
      const versions = rules
        .filter(({ resources }) => resources.includes('cronjobs'))
        .flatMap((rule) => rule.apiVersions);
      assert.ok(versions.includes('*') || (versions.includes('v1') && versions.includes('v1beta1')), versions.join());
    });
    test('fails closed, in whatever version an object is written, and lets no author of an object opt out', () => {
      for (const { failurePolicy, matchPolicy, objectSelector } of webhooks) {
        assert.deepEqual([failurePolicy, matchPolicy], ['Fail', 'Equivalent']);
        assert.deepEqual(objectSelector ?? {}, {});
      }
    });
    test('takes dry runs, speaks v1, and answers within what an API server grants', () => {
      for (const { sideEffects, admissionReviewVersions, timeoutSeconds } of webhooks) {
        assert.ok(['None', 'NoneOnDryRun'].includes(sideEffects), sideEffects);
        assert.deepEqual(admissionReviewVersions, ['v1']);
        assert.ok(timeoutSeconds >= 1 && timeoutSeconds <= 30);
      }
    });
  });
