// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { Ajv } from 'ajv';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const chart = join(root, 'deploy', 'helm', 'bulla');
const read = (name: string): string => readFileSync(join(chart, name), 'utf8');

// That the templates, filled in by Go's template engine, say what `bulla admission install` prints is tried in test/kubernetes/chart.kube.ts.

suite('the Helm chart', () => {
  test('is what the manifests say', () => {
    const { status, stderr } = spawnSync(process.execPath, ['build/helm-chart.ts', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  });

  test('is of the version of the program', () => {
    const { version, appVersion } = parse(read('Chart.yaml')) as {
      readonly version: string;
      readonly appVersion: string;
    };
    const program = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string })
      .version;
    assert.deepEqual([version, appVersion], [program, program]);
  });

  const validate = new Ajv({ strict: false }).compile(JSON.parse(read('values.schema.json')) as object);
  const values = parse(read('values.yaml')) as object;
  const image = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;

  test('takes its own values, once an image is named by its digest', () => {
    assert.equal(validate({ ...values, image }), true, JSON.stringify(validate.errors));
    assert.equal(validate(values), false);
    assert.equal(validate({ ...values, image: 'registry.example.com/bulla:latest' }), false);
  });

  for (const [what, change] of Object.entries({
    'a name that breaks out of its quotes': { name: 'x"\nkind: Secret' },
    'a namespace that does': { excludedNamespaces: ['a", "b'] },
    'a resource that does': { resources: [{ group: 'a"', version: '*', plural: 'b' }] },
    'a pull secret that does': { imagePullSecrets: ['x"'] },
    'a priority class that does': { priorityClass: 'x"' },
    'a timeout that Kubernetes does not take': { timeoutSeconds: 31 },
    'a word that nobody knows': { mutate: 'everything' },
    'a value that nobody knows': { replica: 3 },
  }))
    test(`refuses ${what}`, () => {
      assert.equal(validate({ ...values, image, ...change }), false);
    });

  test('has a value for all that its templates ask for', () => {
    const templates = ['definitions', 'roles', 'gate', 'webhooks']
      .map((name) => read(`templates/${name}.yaml`))
      .join('\n');
    const asked = new Set([...templates.matchAll(/\.Values\.(\w+)/g)].map(([, name]) => name));
    assert.deepEqual(asked, new Set(Object.keys(values)));
  });
});
