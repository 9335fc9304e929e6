// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { byText, contentsOf, layerOf, recordedLayer, recordedRows, rowsOf } from '../../image.fixture.ts';
import { TarReader } from '../../layer/tar-reader.ts';
import { FileFault } from '../cataloger.ts';
import { ndbBlobs } from './ndb.ts';
import { ndbDatabase } from './ndb.fixture.ts';
import { sqliteRows } from './sqlite-table.ts';

/** One file of a recorded layer. */
function recordedFile(layer: string, name: string): Buffer {
  const chunks: Buffer[] = [];
  const reader = new TarReader('the recording', 4096, (entry) =>
    entry.name.endsWith(name) ? { chunk: (bytes) => chunks.push(Buffer.from(bytes)), end: () => undefined } : undefined,
  );
  reader.push(gunzipSync(recordedLayer(layer)));
  return Buffer.concat(chunks);
}

const database = recordedFile('rpm/sqlite.tar.gz', 'rpmdb.sqlite');
const headers = (): Uint8Array[] => [...sqliteRows(database, 'Packages')].map((row) => row.at(-1) as Uint8Array);

describe('an rpm database', () => {
  it('reads of an SQLite table what SQLite itself reads', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bulla-rpm-'));
    try {
      writeFileSync(join(folder, 'rpmdb.sqlite'), database);
      const sql = new DatabaseSync(join(folder, 'rpmdb.sqlite'), { readOnly: true });
      const rows = sql.prepare('SELECT blob FROM Packages ORDER BY hnum').all();
      sql.close();
      const blobs = rows.map(({ blob }) => Buffer.from(blob as Uint8Array).toString('base64'));
      assert.deepEqual(
        headers().map((blob) => Buffer.from(blob).toString('base64')),
        blobs,
      );
      assert.ok(
        rows.some(({ blob }) => (blob as Uint8Array).length > 10_000),
        'one of them goes on in other pages',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reads rows of every length, and of a tree of several levels, as SQLite wrote them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bulla-rpm-'));
    try {
      for (const pageSize of [512, 4096, 65536]) {
        const file = join(folder, `${pageSize}.sqlite`);
        const sql = new DatabaseSync(file);
        sql.exec(
          `PRAGMA page_size = ${pageSize}; CREATE TABLE Other (a); CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)`,
        );
        const insert = sql.prepare('INSERT INTO Packages (blob) VALUES (?)');
        const written = Array.from({ length: 400 }, (_, at) => Buffer.alloc((at * 37) % 3000, at));
        sql.exec('BEGIN');
        for (const blob of written) insert.run(blob);
        sql.exec('COMMIT');
        sql.close();
        const read = [...sqliteRows(readFileSync(file), 'Packages')].map((row) => row.at(-1));
        assert.deepEqual(
          read.map((value) => Buffer.from(value as Uint8Array)),
          written,
        );
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('of the kind ndb tells the same as that of the kind sqlite, with slots that are free', async () => {
    const ndb = ndbDatabase([undefined, ...headers(), undefined]);
    const layer = await layerOf(['usr/lib/sysimage/rpm/Packages.db', ndb]);
    const { packages, findings } = await contentsOf([layer]);
    const rows = rowsOf(packages, ({ name, architecture, licences }) => [name, architecture, licences.join()]);
    const said = recordedRows('rpm/sqlite.tsv').map(([name = '', , arch = '', licence = '']) => [name, arch, licence]);
    assert.deepEqual(rows, said.toSorted(byText));
    assert.deepEqual(findings, []);
  });

  it('names the system package that brought a Python package', async () => {
    const { packages } = await contentsOf([recordedLayer('rpm/sqlite.tar.gz')]);
    const python = packages.find(({ kind }) => kind === 'pypi');
    assert.equal(python?.owner, packages.find(({ name }) => name === 'python3-demo')?.purl);
    assert.match(python?.owner ?? '', /^pkg:rpm\/fedora\/python3-demo@7\.0~rc1-4\.fc40\?/);
  });

  for (const [what, path, contents, code] of [
    ['Berkeley DB', 'var/lib/rpm/Packages', 'b1', 'database-unsupported'],
    ['a write-ahead log', 'var/lib/rpm/rpmdb.sqlite-wal', 'x'.repeat(5000), 'database-unsupported'],
    ['something else', 'var/lib/rpm/rpmdb.sqlite', 'x'.repeat(5000), 'file-malformed'],
    ['an SQLite database that is cut off', 'var/lib/rpm/rpmdb.sqlite', database.subarray(0, 20_000), 'file-malformed'],
    [
      'an ndb database that is cut off',
      'var/lib/rpm/Packages.db',
      ndbDatabase(headers()).subarray(0, 9000),
      'file-malformed',
    ],
  ] as const) {
    it(`that is ${what} is a finding`, async () => {
      const { packages, findings } = await contentsOf([await layerOf([path, contents])]);
      assert.deepEqual(
        findings.map((one) => [one.code, one.path]),
        [[code, `/${path}`]],
      );
      assert.deepEqual(packages, []);
    });
  }

  it('that was tampered with anywhere is read or refused, in bounded work', () => {
    const small = ndbDatabase(headers().slice(0, 5));
    let refused = 0;
    for (let at = 0; at < 4096; at += 7) {
      for (const [file, read] of [
        [database, (bytes: Uint8Array): unknown => [...sqliteRows(bytes, 'Packages')]],
        [small, (bytes: Uint8Array): unknown => [...ndbBlobs(bytes)]],
      ] as const) {
        const bytes = Buffer.from(file);
        bytes[at % bytes.length] = 0xff - (bytes[at % bytes.length] ?? 0);
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof FileFault, String(error));
          refused++;
        }
      }
    }
    assert.ok(refused > 100);
  });

  it('whose pages lead in a circle ends', () => {
    const bytes = Buffer.from(database);
    const size = bytes.readUInt16BE(16);
    // every page an interior page that leads to itself
    for (let page = 1; page < bytes.length / size; page++) {
      bytes[page * size] = 0x05;
      bytes.writeUInt16BE(0, page * size + 3);
      bytes.writeUInt32BE(page + 1, page * size + 8);
    }
    assert.throws(() => [...sqliteRows(bytes, 'Packages')], FileFault);
  });
});
