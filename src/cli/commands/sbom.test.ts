// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { copyImage, MediaType, MemoryRepository, openLayout } from '../../oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { layerOf, putImage, recordedLayer, type LayerEntry } from '../../sbom/image.fixture.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

const installed = (name: string, version: string): LayerEntry => [
  `srv/node_modules/${name}/package.json`,
  JSON.stringify({ name, version, license: 'MIT' }),
];

let cwd: string;
let registry: RunningRegistry;
let host: string;
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-sbom-'));
  registry = await serveRegistry({ data: join(cwd, 'registry'), port: 0 });
  host = new URL(registry.url).host;
  const source = new MemoryRepository('source');
  const debian = recordedLayer('debian/layer.tar.gz');
  const config = { created: '2024-02-03T04:05:06Z' };
  await putImage(source, [debian, await layerOf(installed('a', '1.0.0'), installed('gone', '1.0.0'))], {
    tag: 'v1',
    config,
  });
  await putImage(source, [debian, await layerOf(installed('a', '2.0.0'), installed('new', '0.1.0'))], {
    tag: 'v2',
    config,
  });
  await putImage(source, [await layerOf(['srv/node_modules/broken/package.json', '{'])], { tag: 'broken' });
  await putImage(source, [await layerOf(['../../etc/passwd', 'x'])], { tag: 'climbing' });
  const manifests = [];
  for (const architecture of ['amd64', 'arm64']) {
    const descriptor = await putImage(source, [await layerOf(installed(architecture, '1.0.0'))], {
      config: { ...config, architecture },
      tag: architecture,
    });
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
  }
  const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests };
  await source.putManifest(Buffer.from(JSON.stringify(index)), MediaType.imageIndex, { tag: 'multi' });
  const layout = await openLayout(join(cwd, 'layout'), { create: true });
  for (const tag of ['v1', 'v2', 'broken', 'climbing', 'multi']) {
    await copyImage(source, layout, tag, { tag });
    await copyImage(source, registry.repository('team/app'), tag, { tag });
  }
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

const sbom = (argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> =>
  runRecorded(['sbom', ...argv], { cwd, env: { HOME: cwd, DOCKER_CONFIG: cwd }, ...options });

describe('sbom', () => {
  it('lists what is inside an image in a registry', async () => {
    const { code, stdout, stderr } = await sbom([`${host}/team/app:v1`]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, /^System: {3}Debian GNU\/Linux 12 \(bookworm\)$/m);
    assert.match(stdout, /^Platform: linux\/amd64$/m);
    assert.match(stdout, /^curl +7\.88\.1-10\+deb12u14 +deb +amd64 +0 /m);
    assert.match(stdout, /^gone +1\.0\.0 +npm +1 +MIT$/m);
  });

  it('opens no socket for a layout', async () => {
    assert.equal((await sbom(['oci-layout:layout:v1', '--no-network'])).code, 0);
    assert.equal((await sbom([`${host}/team/app:v1`, '--no-network'])).code, 1);
  });

  for (const [format, member] of [
    ['spdx-json', '"spdxVersion": "SPDX-2.3"'],
    ['cyclonedx-json', '"specVersion": "1.6"'],
  ] as const) {
    it(`writes ${format}, the same each time`, async () => {
      const argv = ['--output', format, 'oci-layout:layout:v1'];
      const [first, second] = [await sbom(argv), await sbom(argv)];
      assert.equal(first.code, 0, first.stderr);
      assert.ok(first.stdout.includes(member));
      assert.ok(first.stdout.includes('2024-02-03T04:05:06Z'));
      assert.equal(first.stdout, second.stdout);
      assert.equal((await sbom([...argv, '--json'])).stdout, first.stdout);
      const epoch = await sbom(argv, { env: { SOURCE_DATE_EPOCH: '1700000000' } });
      assert.ok(epoch.stdout.includes('2023-11-14T22:13:20Z'));
    });
  }

  it('lists each platform of an index, a document a line, or the one that is asked for', async () => {
    const all = await sbom(['-o', 'spdx-json', `${host}/team/app:multi`]);
    const documents = all.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string });
    assert.deepEqual(
      documents.map(({ name }) => name.slice(-14)),
      ['(linux/amd64)', '(linux/arm64)'].map((name) => ` ${name}`),
    );
    const one = await sbom(['-o', 'spdx-json', '--platform', 'linux/arm64', `${host}/team/app:multi`]);
    assert.match((JSON.parse(one.stdout) as { name: string }).name, /linux\/arm64/);
    assert.match((await sbom([`${host}/team/app:multi`])).stdout, /linux\/amd64[^]*linux\/arm64/);
  });

  it('tells machines all of it', async () => {
    const { stdout } = await sbom(['--json', 'oci-layout:layout:v1']);
    const { images, warnings } = JSON.parse(stdout) as {
      images: { packages: { name: string; purl: string }[] }[];
      warnings: string[];
    };
    assert.ok(images[0]?.packages.some(({ purl }) => purl === 'pkg:npm/a@1.0.0'));
    assert.deepEqual(warnings, []);
  });

  it('warns of what it could not read, and says so in the document', async () => {
    const { code, stdout, stderr } = await sbom(['-o', 'cyclonedx-json', 'oci-layout:layout:broken']);
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^WARNING: \/srv\/node_modules\/broken\/package\.json was not read, so that packages may be missing: .*\(file-malformed\)$/m,
    );
    assert.match(stdout, /"aggregate": "incomplete"/);
  });

  for (const [what, argv, code, text] of [
    [
      'an image that leads out of itself',
      ['oci-layout:layout:climbing'],
      1,
      /^Error: layer 1 of 1 .*"\.\.\/\.\.\/etc\/passwd", which leads out of the image/,
    ],
    ['an image that is not there', ['oci-layout:layout:nope'], 11, /nope/],
    [
      'a platform that it has not',
      ['oci-layout:layout:multi', '--platform', 'linux/s390x'],
      1,
      /only for linux\/amd64, linux\/arm64/,
    ],
    ['a platform that is none', ['oci-layout:layout:multi', '--platform', 'x'], 1, /is no platform/],
    ['an unknown format', ['oci-layout:layout:v1', '-o', 'xml'], 1, /spdx-json/],
    ['a time that is none', ['oci-layout:layout:v1'], 1, /SOURCE_DATE_EPOCH is 'now'/, { SOURCE_DATE_EPOCH: 'now' }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const ran = await sbom(argv, text.source.includes('EPOCH') ? { env: { SOURCE_DATE_EPOCH: 'now' } } : {});
      assert.equal(ran.code, code, ran.stderr);
      assert.equal(ran.stdout, '');
      assert.match(ran.stderr, text);
    });
  }
});

describe('sbom diff', () => {
  it('shows what came, went and changed between two images', async () => {
    const { code, stdout, stderr } = await sbom(['diff', `${host}/team/app:v1`, 'oci-layout:layout:v2']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\+ {2}new +npm +0\.1\.0$/m);
    assert.match(stdout, /^- {2}gone +npm +1\.0\.0$/m);
    assert.match(stdout, /^~ {2}a +npm +1\.0\.0 +2\.0\.0$/m);
    assert.match(stdout, /^1 added, 1 removed, 1 changed, \d+ unchanged$/m);
  });

  it('compares documents of either format with each other and with images, for machines', async () => {
    for (const [format, tag] of [
      ['spdx-json', 'v1'],
      ['cyclonedx-json', 'v2'],
    ] as const) {
      writeFileSync(join(cwd, `${tag}.json`), (await sbom(['-o', format, `oci-layout:layout:${tag}`])).stdout);
    }
    const { stdout } = await sbom(['diff', '--json', 'v1.json', 'v2.json']);
    const { added, removed, changed } = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(added, [{ kind: 'npm', name: 'new', version: '0.1.0' }]);
    assert.deepEqual(removed, [{ kind: 'npm', name: 'gone', version: '1.0.0' }]);
    assert.deepEqual(changed, [{ kind: 'npm', name: 'a', from: ['1.0.0'], to: ['2.0.0'] }]);
    assert.match((await sbom(['diff', 'v1.json', `${host}/team/app:v1`])).stdout, /^0 added, 0 removed, 0 changed, /);
  });

  it('reads the SBOMs that others wrote', async () => {
    const golden = join(import.meta.dirname, '../../../test/golden/_inputs');
    const ran = await sbom(['diff', join(golden, 'spdx.json'), join(golden, 'spdx.json')]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(readFileSync(join(golden, 'spdx.json')).length > 0);
    assert.match(ran.stdout, /^0 added, 0 removed, 0 changed, /);
  });

  it('reads standard input', async () => {
    const document = (await sbom(['-o', 'spdx-json', 'oci-layout:layout:v1'])).stdout;
    const ran = await runRecorded(['sbom', 'diff', '-', 'oci-layout:layout:v1'], { cwd, stdin: document });
    assert.match(ran.stdout, /^0 added, 0 removed, 0 changed, /);
  });

  it('says that a name that is no file is taken for an image', async () => {
    const { code, stderr } = await sbom(['diff', '--no-network', 'v1.json', 'build/sbom']);
    assert.notEqual(code, 0);
    assert.match(stderr, /^WARNING: build\/sbom is no file here: it is taken for an image$/m);
    const tagged = await sbom(['diff', '--no-network', 'v1.json', 'registry.example.com/sbom']);
    assert.doesNotMatch(tagged.stderr, /is no file here/);
  });

  for (const [what, argv, text] of [
    [
      'a file that is not there, which no registry is asked for',
      ['gone.json', './gone'],
      /open gone\.json: no such file/,
    ],
    ['a path that is not there', ['./gone', 'gone.json'], /open \.\/gone: no such file/],
    ['standard input twice', ['-', '-'], /read once/],
    ['an index without a platform', ['oci-layout:layout:multi', 'oci-layout:layout:v1'], /choose with --platform/],
    ['a file that is no SBOM', ['junk.json', 'oci-layout:layout:v1'], /junk\.json is neither an SPDX 2 document nor/],
    ['one argument', ['oci-layout:layout:v1'], /requires at least 2 arg/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      writeFileSync(join(cwd, 'junk.json'), '{}');
      const ran = await sbom(['diff', ...argv]);
      assert.equal(ran.code, 1);
      assert.match(ran.stderr, text);
    });
  }
});
