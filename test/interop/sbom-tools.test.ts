// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { copyImage, MediaType, MemoryRepository, openLayout, type Descriptor } from '../../src/oci/index.ts';
import { putImage } from '../../src/sbom/image.fixture.ts';
import { interop, runClient } from './clients.ts';
import { Lab } from './lab.ts';

// Images that are made here from the packages of this machine and of this checkout, and what dpkg-query and npm say of the same files.

const lab = new Lab();
after(() => lab.close());
const CHECKOUT = join(import.meta.dirname, '../..');
const ROW =
  '${db:Status-Status}\\t${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n';

interface Listed {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly source?: { readonly name: string; readonly version?: string };
  readonly licences: readonly string[];
  readonly layer: { readonly index: number };
  readonly owner?: string;
}

/** A layer as GNU tar writes it. */
function layerOf(root: string): Buffer {
  return execFileSync('tar', ['-C', root, '--sort=name', '--owner=0', '--group=0', '-cf', '-', '.'], {
    maxBuffer: 512 * 1024 * 1024,
  });
}

/** What `bulla sbom --json` lists, platform by platform. */
async function listed(folder: string, target: string): Promise<ReadonlyMap<string, readonly Listed[]>> {
  const ran = await lab.bulla(['sbom', '--json', '--no-network', `oci-layout:${folder}:${target}`]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(ran.stderr, '');
  const { images } = JSON.parse(ran.stdout) as {
    readonly images: readonly {
      readonly platform: { readonly architecture: string };
      readonly packages: readonly Listed[];
    }[];
  };
  return new Map(images.map(({ platform, packages }) => [platform.architecture, packages]));
}

/** Puts images into a layout, each for a platform of its own, and an index over them under `multi`. */
async function layoutOf(images: Readonly<Record<string, readonly Uint8Array[]>>): Promise<string> {
  const source = new MemoryRepository('source');
  const manifests: Descriptor[] = [];
  for (const [architecture, layers] of Object.entries(images)) {
    const descriptor = await putImage(source, layers, {
      compression: 'zstd',
      config: { architecture },
      tag: architecture,
    });
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
  }
  const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests };
  await source.putManifest(Buffer.from(JSON.stringify(index)), MediaType.imageIndex, { tag: 'multi' });
  const folder = join(lab.folder(), 'layout');
  const layout = await openLayout(folder, { create: true });
  await copyImage(source, layout, 'multi', { tag: 'multi' });
  return folder;
}

function installed(dpkgQuery: string, admin: string): readonly string[] {
  const said = execFileSync(dpkgQuery, [`--admindir=${admin}`, '-W', '-f', ROW], { encoding: 'utf8' });
  return said.split('\n').filter((line) => line.startsWith('installed\t'));
}

function debianRows(packages: readonly Listed[]): readonly string[] {
  const rows = packages
    .filter(({ kind }) => kind === 'deb')
    .map(({ name, version, architecture, source }) =>
      ['installed', name, version, architecture, source?.name ?? name, source?.version ?? version].join('\t'),
    );
  return rows.toSorted();
}

/** The files of this machine's Debian that tell of its packages. */
function debianRoot(): string {
  const root = lab.folder();
  for (const path of ['var/lib/dpkg/status', 'usr/lib/os-release']) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    cpSync(join('/', path), join(root, path));
  }
  mkdirSync(join(root, 'var/lib/dpkg/info'));
  mkdirSync(join(root, 'var/lib/dpkg/updates'));
  for (const name of ['bash', 'curl', 'tar']) {
    const list = `var/lib/dpkg/info/${name}.list`;
    if (existsSync(join('/', list))) cpSync(join('/', list), join(root, list));
    const copyright = `usr/share/doc/${name}/copyright`;
    if (!existsSync(join('/', copyright))) continue;
    mkdirSync(join(root, dirname(copyright)), { recursive: true });
    cpSync(join('/', copyright), join(root, copyright));
  }
  return root;
}

/** As distroless images are built: each package's control file in a file of its own, and the sums of its files beside it. */
function distrolessRoot(names: readonly string[], admin: string): string {
  const root = lab.folder();
  const folder = join(root, 'var/lib/dpkg/status.d');
  mkdirSync(folder, { recursive: true });
  const stanzas = readFileSync(join(admin, 'status'), 'utf8').split(/\n\n+/);
  for (const name of names) {
    const stanza = stanzas.find((one) => one.startsWith(`Package: ${name}\n`)) ?? '';
    writeFileSync(join(folder, name), `${stanza.replace(/^Status: .*\n/m, '')}\n`);
    const sums = `/var/lib/dpkg/info/${name}.md5sums`;
    if (existsSync(sums)) cpSync(sums, join(folder, `${name}.md5sums`));
  }
  return root;
}

interface Node {
  readonly version?: string;
  readonly missing?: boolean;
  readonly name?: string;
  readonly dependencies?: Readonly<Record<string, Node>>;
}

/** What `npm ls` says lies there: each package once. */
function npmRows(node: Node, name: string, rows: Set<string> = new Set()): Set<string> {
  if (node.missing !== true && node.version !== undefined) rows.add(`${name}@${node.version}`);
  for (const [key, child] of Object.entries(node.dependencies ?? {})) npmRows(child, child.name ?? key, rows);
  return rows;
}

/** An application with the packages of this checkout that oxc-parser, tar-stream and fast-check need. */
async function nodeRoot(): Promise<{ readonly root: string; readonly app: string }> {
  const root = lab.folder();
  const app = join(root, 'srv/app');
  const wanted = new Set<string>();
  const queue = ['tar-stream', 'fast-check', 'packageurl-js', 'spdx-expression-parse', '@tufjs/models'];
  const dependencies = Object.fromEntries(queue.map((name) => [name, '*']));
  for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
    const manifest = join(CHECKOUT, 'node_modules', name, 'package.json');
    if (wanted.has(name) || !existsSync(manifest)) continue;
    wanted.add(name);
    const { dependencies: needs = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as {
      dependencies?: Record<string, string>;
    };
    queue.push(...Object.keys(needs));
  }
  for (const name of wanted)
    for await (const path of glob('**/package.json', { cwd: join(CHECKOUT, 'node_modules', name) }))
      cpSync(join(CHECKOUT, 'node_modules', name, path), join(app, 'node_modules', name, path));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.2.3', dependencies }));
  return { root, app };
}

interop(
  'the packages of a Debian image, of a distroless one and of a Node image are what their own tools list',
  ['dpkg-query', 'npm'],
  async ([dpkgQuery, npm]) => {
    const debian = debianRoot();
    const said = installed(dpkgQuery, join(debian, 'var/lib/dpkg'));
    assert.ok(said.length > 100);
    const names = said.map((row) => row.split('\t')[1] ?? '').filter((_, at) => at % 20 === 0);
    const distroless = distrolessRoot(names, join(debian, 'var/lib/dpkg'));
    const { root, app } = await nodeRoot();
    const ls = await runClient(npm, ['ls', '--all', '--json', '--prefix', app], { home: lab.folder() });
    const modules = npmRows(JSON.parse(ls.stdout) as Node, 'app');
    assert.ok(modules.size > 5, ls.stdout);

    // one index, each image for a platform of its own: each platform has its own list
    const layout = await layoutOf({
      amd64: [layerOf(debian)],
      arm64: [layerOf(distroless)],
      s390x: [layerOf(distroless), layerOf(root)],
    });
    const lists = await listed(layout, 'multi');
    assert.deepEqual(debianRows(lists.get('amd64') ?? []), said.toSorted());
    const chosen = said.filter((row) => names.includes(row.split('\t')[1] ?? ''));
    assert.deepEqual(debianRows(lists.get('arm64') ?? []), chosen.toSorted());
    const node = lists.get('s390x') ?? [];
    const found = node.filter(({ kind }) => kind === 'npm');
    const rows = found.map(
      ({ namespace, name, version }) => `${namespace === undefined ? '' : `${namespace}/`}${name}@${version}`,
    );
    assert.deepEqual([...new Set(rows)].toSorted(), [...modules].toSorted());
    assert.deepEqual(debianRows(node), chosen.toSorted());
    // where each came from, and its licence
    assert.ok(found.every(({ layer }) => layer.index === 1));
    assert.ok(node.filter(({ kind }) => kind === 'deb').every(({ layer }) => layer.index === 0));
    assert.deepEqual(found.find(({ name }) => name === 'tar-stream')?.licences, ['MIT']);
    assert.ok((lists.get('amd64')?.find(({ name }) => name === 'bash')?.licences.length ?? 0) > 0);
  },
);
