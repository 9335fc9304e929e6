// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { documentMembers, manualMembers } from '../manual-json.fixture.ts';
import { runRecorded } from '../recording-host.fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulla-scan-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const DIGEST = `sha256:${'a'.repeat(64)}`;

function file(name: string, value: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

const policy = (name: string, glob: string, action: string): object => ({
  apiVersion: 'policy.sigstore.dev/v1beta1',
  kind: 'ClusterImagePolicy',
  metadata: { name },
  spec: { images: [{ glob }], authorities: [{ static: { action } }] },
});
const policies = file('policies.json', {
  apiVersion: 'v1',
  kind: 'List',
  items: [policy('good', 'good.test/**', 'pass'), policy('bad', 'bad.test/**', 'fail')],
});

const pod = (name: string, image: unknown): object => ({
  metadata: { name, namespace: 'shop' },
  spec: { containers: [{ name: 'main', image }] },
});
const list = (...items: readonly object[]): object => ({ apiVersion: 'v1', kind: 'PodList', items });

test('bulla scan says where it has looked for a cluster, and exits 64', async () => {
  const before = { HOME: process.env['HOME'], KUBECONFIG: process.env['KUBECONFIG'] };
  process.env['HOME'] = folder;
  delete process.env['KUBECONFIG'];
  try {
    const { code, stderr } = await runRecorded(['scan']);
    assert.equal(code, 64);
    assert.match(stderr, /^Error: no cluster is known: .*KUBECONFIG or ~\/\.kube\/config, and this runs in no Pod$/m);
  } finally {
    for (const [name, value] of Object.entries(before))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
});

suite('bulla scan --list', () => {
  test('exits 0 where everything would be admitted, and says how much that is', async () => {
    const pods = file('good.json', list(pod('a', `good.test/app@${DIGEST}`), pod('b', `good.test/app@${DIGEST}`)));
    const { code, stdout, stderr } = await runRecorded(['scan', '--list', pods, '--policy', policies]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '1 image of 2 objects: 1 trusted, 0 would be refused now, 0 undecided\n');
  });

  test('exits 1 where something would be refused, and says what runs it', async () => {
    const pods = file(
      'bad.json',
      list(...Array.from({ length: 8 }, (_, at) => pod(`p${at}`, `bad.test/app@${DIGEST}`))),
    );
    const { code, stdout } = await runRecorded(['scan', '--list', pods, '--policy', policies]);
    assert.equal(code, 1);
    assert.match(stdout, /bad\.test\/app@sha256:a+ refused\n.*bad: /s);
    assert.match(stdout, /run by Pod shop\/p0 \(spec\.containers\[0\]\.image\)\n/);
    assert.match(stdout, /and 3 more\n/);
  });

  test('exits 2 where something could not be read, unless something is refused', async () => {
    const pods = file('unread.json', list(pod('a', 7), pod('b', `good.test/app@${DIGEST}`)));
    const unread = await runRecorded(['scan', '--list', pods, '--policy', policies]);
    assert.equal(unread.code, 2);
    assert.match(unread.stdout, /not read: shop\/a: spec\.containers\[0\]\.image/);
    const both = file('both.json', list(pod('a', 7), pod('b', `bad.test/app@${DIGEST}`)));
    assert.equal((await runRecorded(['scan', '--list', both, '--policy', policies])).code, 1);
  });

  test('writes one JSON document, whose exit code is its own', async () => {
    const pods = file('json.json', list(pod('a', `bad.test/app@${DIGEST}`)));
    const { code, stdout } = await runRecorded(['scan', '--json', '--list', pods, '--policy', policies]);
    const document = JSON.parse(stdout) as {
      readonly exitCode: number;
      readonly outcome: string;
      readonly images: readonly [{ readonly run: unknown }];
    };
    assert.deepEqual([code, document.exitCode, document.outcome], [1, 1, 'refused']);
    assert.deepEqual(document.images[0].run, [
      {
        kind: 'Pod',
        namespace: 'shop',
        name: 'a',
        field: 'spec.containers[0].image',
        written: `bad.test/app@${DIGEST}`,
      },
    ]);
  });

  test('writes the members that the manual shows, and no other', async () => {
    const pods = file('members.json', list(pod('a', `bad.test/app@${DIGEST}`), pod('b', 7)));
    const { stdout } = await runRecorded(['scan', '--json', '--list', pods, '--policy', policies]);
    const found = documentMembers(JSON.parse(stdout));
    assert.deepEqual([...found.difference(manualMembers('scan', 'policy explain'))], []);
    assert.deepEqual([...manualMembers('scan').difference(found)], []);
  });

  test('judges the namespaces that it is told to', async () => {
    const pods = file('namespaces.json', list(pod('a', `bad.test/app@${DIGEST}`)));
    const scan = async (...flags: readonly string[]): Promise<number> =>
      (await runRecorded(['scan', '--list', pods, '--policy', policies, ...flags])).code;
    assert.equal(await scan('--namespace', 'shop'), 1);
    assert.equal(await scan('--namespace', 'other'), 0);
    const none = await runRecorded(['scan', '--json', '--list', pods, '--policy', policies, '--namespace', 'other']);
    assert.match(none.stdout, /"nothing that runs an image was found in other"/);
    assert.equal(await scan('--exclude-namespace', 'x,shop'), 0);
  });

  for (const [what, flags, code, reason] of [
    ['no policy', ['--list', policies], 64, /--list needs --policy/],
    ['no such list', ['--list', join(folder, 'none'), '--policy', policies], 64, /none/],
    [
      'no JSON',
      ['--list', file('text', 'hello'), '--policy', policies],
      2,
      /JSON of kubectl get --output json is expected, is not JSON/,
    ],
    ['no kubeconfig', ['--kubeconfig', join(folder, 'none')], 64, /none cannot be read/],
    ['no object', ['--list', file('array', '[1]'), '--policy', policies], 64, /no object of Kubernetes/],
    [
      'a policy that cannot be used',
      ['--list', policies, '--policy', file('broken.json', policy('x', 'a b', 'pass'))],
      64,
      /glob/,
    ],
    [
      'no name of a namespace',
      ['--list', policies, '--policy', policies, '--namespace', 'A B'],
      64,
      /the name of a namespace/,
    ],
    ['no cluster without network', ['--no-network'], 64, /--no-network/],
  ] as const)
    test(`refuses ${what}, with exit code ${code}`, async () => {
      const run = await runRecorded(['scan', ...flags]);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, reason);
    });
});
