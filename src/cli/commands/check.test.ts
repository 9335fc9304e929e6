// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { signImage } from '../../image/index.ts';
import { openRemoteRepository, parseReference } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { encodePublicKey, generatePrivateKey, keySigner } from '../../trust/index.ts';
import { documentMembers, manualMembers } from '../manual-json.fixture.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

const cwd = mkdtempSync(join(tmpdir(), 'bulla-check-'));
const NOW = new Date('2026-06-01T00:00:00Z');
const us = keySigner(await generatePrivateKey('ecdsa-p256'));
const them = keySigner(await generatePrivateKey('ecdsa-p256'));
let registry: RunningRegistry;
let host = '';
const write = (name: string, text: string): void => {
  mkdirSync(join(cwd, name, '..'), { recursive: true });
  writeFileSync(join(cwd, name), text);
};

function runWith(options: RecordingHostOptions, ...argv: readonly string[]): Promise<Ran> {
  return runRecorded(argv, { cwd, now: NOW, ...options });
}
const run = (...argv: readonly string[]): Promise<Ran> => runWith({}, ...argv);
const check = (...argv: readonly string[]): Promise<Ran> => run('check', '--policy', 'policies.yaml', ...argv);

function policy(name: string, glob: string, { publicKey }: typeof us): string {
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob }], authorities: [{ name: 'us', key: { data: encodePublicKey(publicKey) } }] },
  });
}

const MISSPELT = `apiVersion: policy.sigstore.dev/v1beta1
kind: ClusterImagePolicy
metadata: {name: a}
spec:
  authoritys: []
  images: [{glob: "**"}]
`;
const pod = (...images: readonly string[]): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec:\n  containers:\n${images.map((image) => `  - image: ${image}\n`).join('')}`;

before(async () => {
  registry = await serveRegistry({ data: join(cwd, 'data'), port: 0 });
  host = `localhost:${new URL(registry.url).port}`;
  for (const name of ['app', 'other']) {
    write('files/hello', name);
    assert.equal((await run('image', 'pack', 'files', `${host}/team/${name}:1`)).code, 0);
  }
  const repository = openRemoteRepository(parseReference(`${host}/team/app`), { access: 'write' });
  await signImage(repository, '1', { signer: us, now: NOW });
  write('policies.yaml', policy('sealed', `${host}/**`, us));
  write('theirs.yaml', policy('theirs', `${host}/**`, them));
  write('both.yaml', `${policy('sealed', `${host}/team/*`, us)}\n---\n${policy('down', 'localhost:1/**', us)}`);
  write('good.yaml', pod(`${host}/team/app:1`));
  write('bad.yaml', pod(`${host}/team/app:1`, `${host}/team/other:1`));
  write('unread.yaml', pod(`${host}/team/app:1`, '"{{ .x }}"'));
  write('down.yaml', pod('localhost:1/a:1'));
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

describe('check', () => {
  it('exits 0 where all images are trusted, and prints them with their places', async () => {
    const { code, stdout } = await check('-f', 'good.yaml');
    assert.equal(code, 0, stdout);
    assert.equal(
      stdout.replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256:…'),
      [
        `✓ ${host}/team/app:1 trusted`,
        '    sha256:…',
        '    at good.yaml:6:12',
        '✓ 1 image: 1 trusted, 0 refused, 0 undecided',
        '',
      ].join('\n'),
    );
  });
  it('exits 1 where one is refused, with what was found and what would make it pass', async () => {
    const { code, stdout } = await check('-f', 'bad.yaml');
    assert.equal(code, 1);
    assert.match(stdout, /✗ localhost:\d+\/team\/other:1 refused\n.*\n    at bad\.yaml:7:12\n.*\[policy-failed\]/);
    assert.match(stdout, /^ {4}sealed would pass with: a signature by the key \S+ \(ecdsa-p256\)$/m);
  });
  it('exits 2 where a registry does not answer', async () => {
    const { code, stdout } = await run('check', '--policy', 'both.yaml', '--timeout', '20s', '-f', 'down.yaml');
    assert.equal(code, 2, stdout);
    assert.match(stdout, /\? localhost:1\/a:1 undecided/);
  });
  it('exits 2 where something could not be read, and 0 if that is to be passed over, which is said', async () => {
    const { code, stdout } = await check('-f', 'unread.yaml');
    assert.equal(code, 2);
    assert.match(stdout, /^not read: unread\.yaml:7:13: spec\.containers\[1\]\.image: .*\[template-unrendered\]$/m);
    const skipped = await check('--skip-unreadable', '-f', 'unread.yaml');
    assert.equal(skipped.code, 0);
    assert.match(skipped.stderr, /WARNING: .*images in what cannot be read are not judged/);
    assert.match(skipped.stdout, /^warning: unread\.yaml:7:13/m);
  });
  it('exits 1 if anything is refused, whatever else is undecided', async () => {
    assert.equal((await check('-f', 'bad.yaml', '-f', 'unread.yaml', 'localhost:1/a:1')).code, 1);
  });
  it('exits 64 for wrong usage, whatever is wrong: 1 is refused and nothing else', async () => {
    symlinkSync('loop', join(cwd, 'loop'));
    write('misspelt.yaml', MISSPELT);
    write('template.yaml', '{{- if .Values.x }}\nkind: ClusterImagePolicy\n{{- end }}\n');
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['check'], /nothing to check/],
      [['check', 'nginx'], /--policy is required/],
      [['check', '--nonsense'], /unknown flag/],
      [['check', '--policy', 'nowhere.yaml', 'nginx'], /nowhere\.yaml/],
      [['check', '--policy', 'good.yaml', 'nginx'], /no policy in good\.yaml/],
      [['check', '--policy', 'policies.yaml', '-f', 'nowhere.yaml'], /nowhere\.yaml/],
      [['check', '--policy', 'policies.yaml', '--output', 'xml', 'nginx'], /--output is 'xml'/],
      [['check', '--policy', 'policies.yaml', '--output', 'sarif', '--output', 'junit', 'nginx'], /more than one form/],
      [['check', '--policy', 'policies.yaml', '--output', 'sarif=', 'nginx'], /FORMAT=FILE/],
      [['check', '--policy', 'policies.yaml', '--output', 'sarif=a', '--output', 'junit=a', 'nginx'], /one file twice/],
      [['check', '--policy', '-', '-f', '-'], /read once/],
      [['check', '--policy', 'policies.yaml', 'oci-layout:image'], /no name that policies know/],
      [['check', '--policy', 'policies.yaml', '--variable', 'x', '-f', 'good.yaml'], /NAME=VALUE/],
      [['check', '--policy', 'policies.yaml', '--vsa', 'gate', '-f', 'good.yaml'], /a URI that names this gate/],
      [['check', '--kit', 'kit', '--vsa', 'https://ci.example.com/gate', 'nginx'], /--kit opens no socket/],
      [['check', '--kit', 'files', 'nginx'], /layout/],
      [['check', '--policy', 'policies.yaml', '--trusted-root', 'good.yaml', 'nginx'], /good\.yaml is not JSON/],
      // a key that decides nothing must not look as if it did
      [
        ['check', '--policy', 'policies.yaml', '--key', 'cosign.pub', 'nginx'],
        /--key is for signing verification summaries/,
      ],
      [['check', '--policy', 'policies.yaml', '--identity-token', 'x', 'nginx'], /--vsa asks for none/],
      // variables without a value: neither an image, nor the folder that one happens to be in
      [['check', '--policy', 'policies.yaml', ''], /the name of an image is empty/],
      [['check', '--policy', 'policies.yaml', '-f', 'good.yaml', '-f', ''], /--file is empty/],
      [['check', '--policy', 'policies.yaml', '-f', 'loop'], /loop: too many symbolic links/],
      [
        ['check', '--policy', 'misspelt.yaml', 'nginx'],
        /misspelt\.yaml:5:3: spec\.authoritys: .* did you mean authorities\?/,
      ],
      [['check', '--policy', 'template.yaml', 'nginx'], /template\.yaml:1:3: a template that is not rendered/],
    ];
    for (const [argv, message] of wrong) {
      const { code, stderr } = await run(...argv);
      assert.match(stderr, message);
      assert.equal(code, 64, argv.join(' '));
    }
  });
  it('does not say what to lay beside an image that is not there', async () => {
    const { code, stdout } = await check(`${host}/team/app:9`);
    assert.equal(code, 1);
    assert.match(stdout, /has no tag '9' \[image-missing\]/);
    assert.doesNotMatch(stdout, /would pass/);
  });
  it('reads standard input, folders, and images that are named', async () => {
    const piped = await runWith({ stdin: pod(`${host}/team/app:1`) }, 'check', '--policy', 'policies.yaml', '-f', '-');
    assert.equal(piped.code, 0, piped.stderr);
    assert.match(piped.stdout, /at stdin:6:12/);
    write('deploy/a.yaml', pod(`${host}/team/app:1`));
    write('deploy/compose.yaml', `services: {web: {image: "${host}/team/other:\${TAG}"}}\n`);
    write('deploy/package.json', '{}');
    const folder = await check('-f', 'deploy', '--variable', 'TAG=1');
    assert.equal(folder.code, 1);
    assert.match(folder.stdout, /at deploy\/compose\.yaml:1:26/);
    assert.match(folder.stdout, /no manifests: 1 file$/m);
    assert.equal((await check(`${host}/team/app:1`)).code, 0);
  });
  it('finds nothing and is not content, unless told', async () => {
    write('empty.yaml', 'apiVersion: v1\nkind: ConfigMap\n');
    const { code, stdout } = await check('-f', 'empty.yaml');
    const hint = 'hint: --allow-empty, if nothing that names an image is well\n';
    assert.deepEqual([code, stdout], [2, `? no image was found: 0 trusted, 0 refused, 0 undecided\n${hint}`]);
    assert.equal((await runWith({ stdin: '' }, 'check', '--policy', 'policies.yaml', '-f', '-')).code, 2);
    assert.equal((await check('-f', 'empty.yaml', '--allow-empty')).code, 0);
  });
  it('says what to do next: about variables, and images that no policy is about', async () => {
    write('variable.yaml', 'services: {web: {image: "x.example.com/web:${TAG}"}}\n');
    assert.match(
      (await check('-f', 'variable.yaml')).stdout,
      /^hint: --variable NAME=VALUE gives a variable a value$/m,
    );
    const other = await check('x.example.com/web:1');
    assert.match(other.stdout, /^hint: bulla policy check FILE lists the images that policies are about$/m);
    assert.doesNotMatch((await check('-f', 'bad.yaml')).stdout, /^hint:/m);
  });
  it('tells of a file or folder that is taken for an image', async () => {
    write('deploy/a.yaml', pod(`${host}/team/app:1`));
    for (const [name, kind] of [
      ['deploy', 'folder'],
      ['good.yaml', 'file'],
    ] as const) {
      const { code, stderr, stdout } = await check(name, '--json');
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(
          `^WARNING: ${name} is taken for an image, and there is a ${kind} of that name: -f looks into it$`,
          'm',
        ),
      );
      assert.equal((JSON.parse(stdout) as { warnings: readonly string[] }).warnings.length, 1);
    }
    // what the system cannot even look for is no file
    for (const name of [`${'x/'.repeat(200)}y`, 'x'.repeat(300), 'loop'])
      assert.equal((await check(name)).code, 1, name);
  });
  it('judges an image that stands in a template of a chart, whatever the values say', async () => {
    write('chart/Chart.yaml', 'apiVersion: v2\nname: c\nversion: 1.0.0\n');
    write('chart/values.yaml', `image: {repository: ${host}/team/app, tag: "1"}\n`);
    const template = (image: string): string =>
      `kind: Pod\napiVersion: v1\nmetadata: {{ x }}\nspec:\n  containers:\n  - image: ${image}\n`;
    write('chart/templates/a.yaml', template('"{{ .Values.image.repository }}:{{ .Values.image.tag }}"'));
    assert.equal((await check('-f', 'chart')).code, 0);
    write('chart/templates/b.yaml', template(`${host}/team/other:1`));
    const { code, stdout } = await check('-f', 'chart');
    assert.equal(code, 1);
    assert.match(stdout, /other:1 refused\n.*\n {4}at chart\/templates\/b\.yaml:6:12$/m);
  });
  it('shows the table where a form cannot be written into its file', async () => {
    const { code, stdout, stderr } = await check('-f', 'bad.yaml', '--output', 'sarif=nowhere/out.sarif');
    assert.equal(code, 64);
    assert.match(stdout, /2 images: 1 trusted, 1 refused/);
    assert.match(stderr, /cannot write \S+nowhere\/out\.sarif/);
    const json = await check('-f', 'bad.yaml', '--json', '--output', 'sarif=nowhere/out.sarif');
    assert.equal(json.code, 64);
    assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'file-unwritable');
  });
  it('writes the members that the manual shows, and no other', async () => {
    const signing = ['--vsa', 'https://ci.example.com/gate', '--key', 'signs.key'];
    const keys = await runWith({ env: { COSIGN_PASSWORD: 'x' } }, 'generate-key-pair', '--output-key-prefix', 'signs');
    assert.equal(keys.code, 0);
    const argv = ['check', '--policy', 'policies.yaml', '--json', ...signing, '-f', 'bad.yaml', '-f', 'unread.yaml'];
    const { stdout } = await runWith({ env: { COSIGN_PASSWORD: 'x' } }, ...argv);
    const found = documentMembers(JSON.parse(stdout));
    assert.deepEqual([...found.difference(manualMembers('check', 'policy explain'))], []);
    assert.deepEqual([...manualMembers('check').difference(found)], []);
  });
  it('writes JSON, the same each time', async () => {
    const [first, second] = [
      await check('--json', '-f', 'bad.yaml'),
      await check('--output', 'json', '-f', 'bad.yaml'),
    ];
    assert.equal(first.stdout, second.stdout);
    const document = JSON.parse(first.stdout) as {
      exitCode: number;
      outcome: string;
      counts: object;
      images: readonly {
        outcome: string;
        places: readonly { file: string; line: number; field: string; source: string; object: object }[];
      }[];
      faults: readonly object[];
      summaries: readonly object[];
    };
    assert.deepEqual(
      [document.exitCode, document.outcome, document.faults, document.summaries],
      [1, 'refused', [], []],
    );
    assert.deepEqual(document.counts, { trusted: 1, refused: 1, undecided: 0 });
    assert.deepEqual(document.images[1]?.places[0], {
      file: 'bad.yaml',
      line: 7,
      column: 12,
      field: 'spec.containers[1].image',
      source: 'kubernetes',
      object: { group: '', version: 'v1', resource: 'pods', labels: {}, name: 'shop' },
    });
  });
  it('writes several forms in one run, the table beside files', async () => {
    const { code, stdout } = await check(
      '-f',
      'bad.yaml',
      '--output',
      'sarif=out.sarif',
      '--output',
      'junit=out.xml',
      '--output',
      'markdown=out.md',
    );
    assert.equal(code, 1);
    assert.match(stdout, /2 images: 1 trusted, 1 refused/);
    assert.equal((JSON.parse(readFileSync(join(cwd, 'out.sarif'), 'utf8')) as { version: string }).version, '2.1.0');
    assert.match(
      readFileSync(join(cwd, 'out.xml'), 'utf8'),
      /<testsuites name="bulla check" tests="2" failures="1" errors="0">/,
    );
    assert.match(readFileSync(join(cwd, 'out.md'), 'utf8'), /^### ❌ Images: refused/);
    const github = await check('-f', 'bad.yaml', '--output', 'github');
    assert.match(github.stdout, /^::error file=bad\.yaml,line=7,col=12,endColumn=\d+,title=bulla%3A nothing-found::/);
  });
  it('leaves a file alone where it fails', async () => {
    write('kept.sarif', 'before');
    assert.equal((await check('-f', 'nowhere.yaml', '--output', 'sarif=kept.sarif')).code, 64);
    assert.equal(readFileSync(join(cwd, 'kept.sarif'), 'utf8'), 'before');
  });
  it('ends undecided when its time is up', async () => {
    const { code, stdout } = await check('--timeout', '1ms', '-f', 'good.yaml');
    assert.equal(code, 2, stdout);
  });
  it('decides by a kit without a network', async () => {
    assert.equal((await run('save', '--dir', 'kit', '--policy', 'policies.yaml', `${host}/team/app:1`)).code, 0);
    const { code, stdout, stderr } = await run('check', '--no-network', '--kit', 'kit', '-f', 'good.yaml');
    assert.equal(code, 0, stdout + stderr);
    assert.equal((await run('check', '--no-network', '--kit', 'kit', '-f', 'bad.yaml')).code, 2);
  });
  it('lays signed summaries beside images that are trusted, and only there', async () => {
    const keys = await runWith({ env: { COSIGN_PASSWORD: 'x' } }, 'generate-key-pair', '--output-key-prefix', 'gate');
    assert.equal(keys.code, 0, keys.stderr);
    const argv = [
      'check',
      '--policy',
      'policies.yaml',
      '--vsa',
      'https://ci.example.com/gate',
      '--key',
      'gate.key',
      '--json',
      '-f',
      'bad.yaml',
    ];
    const { code, stdout, stderr } = await runWith({ env: { COSIGN_PASSWORD: 'x' } }, ...argv);
    assert.equal(code, 1, stderr);
    const { summaries } = JSON.parse(stdout) as {
      summaries: readonly { image: string; digest: string; bundles: readonly string[] }[];
    };
    assert.deepEqual(
      summaries.map(({ image, bundles }) => [image, bundles.length]),
      [[`${host}/team/app:1`, 1]],
    );
    const verified = await run(
      'verify-attestation',
      '--key',
      'gate.pub',
      '--type',
      'https://slsa.dev/verification_summary/v1',
      '--json',
      `${host}/team/app:1`,
    );
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /https:\/\/ci\.example\.com\/gate/);
    assert.notEqual(
      (
        await run(
          'verify-attestation',
          '--key',
          'gate.pub',
          '--type',
          'https://slsa.dev/verification_summary/v1',
          `${host}/team/other:1`,
        )
      ).code,
      0,
    );
  });
  it('lays summaries where images of a mirror are fetched from', async () => {
    const mirrors = [{ upstream: 'far.example.com', mirror: host }];
    const settings = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name: 's' } };
    write(
      'far.yaml',
      `${policy('far', 'far.example.com/**', us)}\n---\n${JSON.stringify({ ...settings, spec: { mirrors } })}`,
    );
    const signing = ['--vsa', 'https://ci.example.com/gate', '--key', 'gate.key'];
    const argv = ['check', '--json', '--policy', 'far.yaml', ...signing, 'far.example.com/team/app:1'];
    const { code, stdout, stderr } = await runWith({ env: { COSIGN_PASSWORD: 'x' } }, ...argv);
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as { summaries: readonly unknown[] }).summaries.length, 1);
  });
  it('shows nothing that a terminal or a runner would obey', async () => {
    write(
      'hostile.yaml',
      `apiVersion: v1\nkind: Pod\nspec: {containers: [{image: "\\e[2J::error::x\\n::error::y ##[add-path]z"}]}\n`,
    );
    for (const output of ['table', 'github', 'junit', 'markdown']) {
      const { code, stdout } = await check('-f', 'hostile.yaml', '--output', output);
      assert.equal(code, 1);
      assert.doesNotMatch(stdout, /\u001b|^\s*::error::|##\[/m);
    }
    const { stdout } = await run('policy', 'preview', '--policy', 'policies.yaml', '-f', 'hostile.yaml', '::error::x');
    assert.doesNotMatch(stdout, /\u001b|^\s*::|##\[/m);
    assert.match(stdout, /2 stranded/);
  });
});

describe('policy preview', () => {
  const preview = (...argv: readonly string[]): Promise<Ran> => run('policy', 'preview', ...argv);
  it('exits 1 where something would be stranded, and says what', async () => {
    const { code, stdout } = await preview('--policy', 'theirs.yaml', '--against', 'policies.yaml', '-f', 'bad.yaml');
    assert.equal(code, 1, stdout);
    assert.match(
      stdout,
      /^stranded \(1\): would be refused, and is admitted now\n  localhost:\d+\/team\/app:1\n    at bad\.yaml:6:12\n    now  trusted \[met\]\n    then refused \[none-accepted\]/m,
    );
    assert.match(stdout, /^other-reason \(1\)/m);
    assert.match(stdout, /^2 images: 1 stranded, 0 undecided, 0 admitted, 1 other-reason, 0 same$/m);
  });
  it('exits 0 where nothing is, and tells what would be admitted', async () => {
    const { code, stdout } = await preview(
      '--policy',
      'policies.yaml',
      '--against',
      'theirs.yaml',
      `${host}/team/app:1`,
    );
    assert.equal(code, 0);
    assert.match(stdout, /^admitted \(1\)/m);
    assert.match(
      (await preview('--policy', 'policies.yaml', '--against', 'policies.yaml', `${host}/team/app:1`)).stdout,
      /1 same$/m,
    );
  });
  it('counts all that runs as admitted now, unless told', async () => {
    write(
      'running.txt',
      `# from the cluster\n${host}/team/app:1\n${host}/team/other:1 # no seal\n\n${host}/team/app:1\n`,
    );
    const { code, stdout } = await preview('--policy', 'policies.yaml', '--list', 'running.txt', '--json');
    assert.equal(code, 1);
    const document = JSON.parse(stdout) as {
      counts: object;
      images: readonly { change: string; before: null; image: string; outcome: string }[];
    };
    assert.deepEqual(document.counts, { stranded: 1, undecided: 0, admitted: 0, 'other-reason': 0, same: 1 });
    assert.deepEqual(
      document.images.map((one) => [one.change, one.before, one.image, one.outcome]),
      [
        ['same', null, `${host}/team/app:1`, 'trusted'],
        ['stranded', null, `${host}/team/other:1`, 'refused'],
      ],
    );
  });
  it('exits 2 where it could not be found out, or something could not be read', async () => {
    assert.equal((await preview('--policy', 'both.yaml', '--timeout', '20s', 'localhost:1/a:1')).code, 2);
    const unread = await preview('--policy', 'policies.yaml', '-f', 'unread.yaml');
    assert.equal(unread.code, 2);
    assert.match(unread.stderr, /not read: unread\.yaml:7:13/);
  });
  it('says that no image was found, and exits 2', async () => {
    write('nothing.yaml', 'apiVersion: v1\nkind: ConfigMap\n');
    const { code, stdout } = await preview('--policy', 'policies.yaml', '-f', 'nothing.yaml');
    assert.equal(code, 2);
    assert.match(stdout, /^no image was found: 0 stranded, /);
  });
  it('writes the members that the manual shows, and no other', async () => {
    const both = ['--policy', 'theirs.yaml', '--against', 'policies.yaml'];
    const { stdout } = await preview(...both, '--json', '-f', 'bad.yaml', '-f', 'unread.yaml');
    const found = documentMembers(JSON.parse(stdout));
    assert.deepEqual([...found.difference(manualMembers('policy preview', 'check', 'policy explain'))], []);
    assert.deepEqual([...manualMembers('policy preview').difference(found)], []);
  });
  it('reads what kubectl lists', async () => {
    const spec = (name: string): object => ({
      metadata: { name },
      spec: { containers: [{ name, image: `${host}/team/${name}:1` }] },
    });
    const stdin = JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [spec('app'), spec('other')] });
    const { code, stdout } = await runWith({ stdin }, 'policy', 'preview', '--policy', 'policies.yaml', '-f', '-');
    assert.equal(code, 1);
    assert.match(stdout, /^2 images: 1 stranded/m);
  });
  it('exits 64 for wrong usage', async () => {
    for (const argv of [
      [],
      ['nginx'],
      ['--policy', '-', '--list', '-'],
      ['--policy', 'policies.yaml', '--against', 'nowhere.yaml', 'nginx'],
    ])
      assert.equal((await preview(...argv)).code, 64, argv.join(' '));
    assert.equal(existsSync(join(cwd, 'nowhere.yaml')), false);
  });
  it('names the line of a list that is no image, and not what stands there: it may be a key', async () => {
    write('secret.pem', `# key\n-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYD\n`);
    const { code, stderr, stdout } = await preview('--policy', 'policies.yaml', '--list', 'secret.pem');
    assert.deepEqual([code, stdout], [64, '']);
    assert.equal(stderr, 'Error: secret.pem:2: not an image reference\n');
  });
});
