// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { byText, contentsOf, layerOf, recordedLayer, recordedRows, rowsOf, type LayerEntry } from '../image.fixture.ts';
import type { FoundPackage } from '../package.ts';

// Each kind of package against what its own tool said of the same files. The tools ran when the files were recorded
// (test/golden/_sbom/README.md), so that these tests need none of them.

const full = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`;

describe('packages equal what their own tool lists:', () => {
  it('dpkg-query, with source packages, and none of those of which only configuration is left', async () => {
    const { packages, findings, system } = await contentsOf([recordedLayer('debian/layer.tar.gz')]);
    const installed = recordedRows('debian/dpkg-query.tsv').filter(([state]) => state === 'installed');
    assert.ok(installed.length >= 14);
    const debian = packages.filter(({ kind }) => kind === 'deb');
    const rows = rowsOf(debian, ({ name, version, architecture, source }) => {
      return ['installed', name, version, architecture, source?.name ?? name, source?.version ?? version];
    });
    assert.deepEqual(rows, installed.toSorted(byText));
    assert.deepEqual(findings, []);
    assert.equal(system?.id, 'debian');
    assert.equal(system?.versionId, '12');
  });

  it('rpm -qa', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('rpm/sqlite.tar.gz')]);
    const rpm = packages.filter(({ kind }) => kind === 'rpm');
    const rows = rowsOf(rpm, ({ name, version, architecture, licences, purl, source }) => {
      const epoch = /[?&]epoch=(\d+)/.exec(purl)?.[1];
      const built = source === undefined ? `${name}-${version}` : `${source.name}-${source.version}`;
      return [
        name,
        epoch === undefined ? version : `${epoch}:${version}`,
        architecture,
        licences.join(),
        `${built}.src.rpm`,
      ];
    });
    assert.deepEqual(rows, recordedRows('rpm/sqlite.tsv').toSorted(byText));
    assert.ok(rows.length > 40);
    assert.deepEqual(findings, []);
  });

  it('npm ls --all, an alias under its real name', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('npm/layer.tar.gz')]);
    const rows = rowsOf(packages, ({ namespace, name, version }) => [full(namespace, name), version]);
    assert.deepEqual(rows, recordedRows('npm/npm-ls.tsv').toSorted(byText));
    assert.deepEqual(findings, []);
  });

  it('pip list, of wheels and eggs, without what packages bring for themselves', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('python/layer.tar.gz')]);
    const rows = rowsOf(packages, ({ name, version }) => [name, version]);
    assert.deepEqual(rows, recordedRows('python/pip-list.tsv').toSorted(byText));
    assert.deepEqual(findings, []);
  });

  it('go version -m, of programs for three processors, with replaced modules', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('go/layer.tar.gz')]);
    const said = goVersionRows(recordedRows('go/go-version-m.txt'));
    const rows = packages.flatMap(({ namespace, name, version, locations }) =>
      locations.map((location) => [location.split('/').at(-1) ?? '', full(namespace, name), version ?? '']),
    );
    assert.deepEqual(rows.toSorted(byText), said.toSorted(byText));
    assert.equal(new Set(said.map(([program]) => program)).size, 3);
    assert.deepEqual(findings, []);
  });

  it('rustaudit, of a program that was built by cargo auditable, with what built it and what came from a folder', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('rust/layer.tar.gz')]);
    const rows = rowsOf(packages, ({ name, version }) => [name, version]);
    assert.deepEqual(rows, recordedRows('rust/rustaudit.tsv').toSorted(byText));
    assert.equal(rows.length, 8);
    assert.equal(packages.find(({ name }) => name === 'bitflags')?.purl, 'pkg:cargo/bitflags@2.13.2');
    assert.ok(
      packages.every(({ kind, locations }) => kind === 'cargo' && locations.join() === '/usr/bin/hello-auditable'),
    );
    assert.deepEqual(findings, []);
  });

  it('gem list, of what Ruby brings and what was installed', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('gem/layer.tar.gz')]);
    const rows = rowsOf(packages, ({ name, version }) => [name, version]);
    assert.deepEqual(rows, recordedRows('gem/gem-list.tsv').toSorted(byText));
    assert.deepEqual(findings, []);
  });

  it('composer show', async () => {
    const { packages, findings } = await contentsOf([recordedLayer('composer/layer.tar.gz')]);
    const rows = rowsOf(packages, ({ namespace, name, version }) => [full(namespace, name), version]);
    assert.deepEqual(rows, recordedRows('composer/composer-show.tsv').toSorted(byText));
    assert.deepEqual(findings, []);
  });

  it("Maven's own coordinates, of jars, of jars in a war and in an executable jar", async () => {
    const { packages, findings } = await contentsOf([recordedLayer('java/layer.tar.gz')]);
    const maven = recordedRows('java/maven.tsv');
    const own = new Set(['shop', 'fat']);
    const others = packages.filter(({ name }) => !own.has(name));
    const rows = rowsOf(others, ({ name, version }) => [name, version]);
    assert.deepEqual(rows, maven.map(([, name = '', version = '']) => [name, version]).toSorted(byText));
    for (const { namespace, name } of others) {
      const group = maven.find(([, artifact]) => artifact === name)?.[0];
      assert.ok(namespace === undefined || namespace === group, `${name} is of ${group}, found ${namespace}`);
    }
    assert.equal(others.filter(({ namespace }) => namespace !== undefined).length, 4);
    assert.deepEqual(
      packages.filter(({ name }) => own.has(name)).map(({ namespace, name, version }) => [namespace, name, version]),
      [
        [undefined, 'fat', '0.9'],
        ['com.example', 'shop', '4.5.6'],
      ],
    );
    const nested = packages.find(({ name }) => name === 'json-smart');
    assert.deepEqual(nested?.locations, ['/opt/app/shop.war!/WEB-INF/lib/json-smart-2.6.0.jar']);
    assert.deepEqual(findings, []);
  });
});

/** Lines of `go version -m` as program, module, version: a replacement in the place of what it replaces. */
function goVersionRows(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const found: (readonly string[])[] = [];
  let program = '';
  for (const [first = '', verb, path = '', version = ''] of rows) {
    const [, named, release] = /^(\S+): go(\S+)$/.exec(first) ?? [];
    if (named !== undefined && release !== undefined) {
      program = named;
      found.push([program, 'stdlib', release]);
    } else if (verb === 'mod' || verb === 'dep') found.push([program, path, version]);
    else if (verb === '=>') {
      const [, replaced = ''] = found.pop() ?? [];
      found.push([program, path.startsWith('.') ? replaced : path, version]);
    }
  }
  return found;
}

const PEERS = join(homedir(), '.cache/bulla-peers/bin');

it('a distroless image lists the same packages, each by a file of its own', async () => {
  const { packages } = await contentsOf([recordedLayer('debian/layer.tar.gz')]);
  const debian = packages.filter(({ kind }) => kind === 'deb');
  // as its builders write it: the stanza without a state, and the sums of the files beside it
  const files = debian.flatMap(({ name, version, architecture }): LayerEntry[] => [
    [`var/lib/dpkg/status.d/${name}`, `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\n`],
    [
      `var/lib/dpkg/status.d/${name}.md5sums`,
      `d41d8cd98f00b204e9800998ecf8427e  usr/lib/${name}/node_modules/x/package.json\n`,
    ],
  ]);
  const module: LayerEntry = ['usr/lib/curl/node_modules/x/package.json', '{"name":"x","version":"1.0.0"}'];
  const distroless = await contentsOf([await layerOf(...files, module)]);
  const names = (all: readonly FoundPackage[]): string[] => all.map(({ name, version }) => `${name} ${version}`);
  assert.deepEqual(names(distroless.packages.filter(({ kind }) => kind === 'deb')), names(debian));
  const owned = distroless.packages.find(({ kind }) => kind === 'npm');
  assert.match(owned?.owner ?? '', /^pkg:deb\/debian\/curl@/);
});

describe('real Go programs', () => {
  for (const name of ['crane', 'notation', 'oras']) {
    const file = join(PEERS, name);
    it(`${name} says what it was built from`, { skip: !existsSync(file) }, async () => {
      const program = readFileSync(file);
      const { packages, findings } = await contentsOf([await layerOf([`usr/bin/${name}`, program])], {
        compression: 'none',
      });
      const stdlib = packages.find((one) => one.name === 'stdlib');
      assert.match(stdlib?.version ?? '', /^1\.\d+/);
      assert.ok(program.includes(`go${stdlib?.version}`));
      assert.ok(packages.length > 1);
      assert.deepEqual(findings, []);
    });
  }
});
