// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { contentsOf, layerOf } from '../image.fixture.ts';
import { SBOM_LIMITS } from '../limits.ts';
import { CodedError } from '../../wire/index.ts';
import { FileFault } from './cataloger.ts';
import { CATALOGERS } from './catalogers.ts';
import { ZipArchive } from './java/zip-archive.ts';
import { RpmHeader, Tag } from './rpm/rpm-header.ts';

const FILES = [
  'etc/os-release',
  'var/lib/dpkg/status',
  'var/lib/dpkg/status.d/base',
  'var/lib/dpkg/info/base.list',
  'usr/share/doc/base/copyright',
  'lib/apk/db/installed',
  'var/lib/rpm/rpmdb.sqlite',
  'var/lib/rpm/Packages.db',
  'app/node_modules/a/package.json',
  'app/package.json',
  'site-packages/a.dist-info/METADATA',
  'app/a.jar',
  'gems/specifications/a-1.gemspec',
  'app/vendor/composer/installed.json',
  'usr/bin/program',
] as const;

/** What a file of such contents tells. */
function readAs(path: string, bytes: Uint8Array): unknown {
  const reader = CATALOGERS.map((one) => one.select(path)).find((one) => one !== undefined);
  assert.ok(reader !== undefined, path);
  if (reader.kind === 'whole') return reader.read(bytes, path, SBOM_LIMITS);
  const opened = reader.open(Math.max(bytes.length, 5000));
  for (let at = 0; at < bytes.length; at += 700) opened?.chunk(bytes.subarray(at, at + 700));
  return opened?.end();
}

const STARTS = [
  '',
  'SQLite format 3\0\x10\0\x01\x01\0',
  'RpmP\0\0\0\0\0\0\0\0\x01\0\0\0',
  '{"name":"a","version":',
  '\x7fELF\x02\x01\x01',
  'PK\x05\x06',
  'P:a\nV:',
  'Package: a\nVersion: ',
];

describe('any bytes in the place of', () => {
  for (const path of FILES) {
    it(`${path} tell something or are refused`, () => {
      fc.assert(
        fc.property(fc.constantFrom(...STARTS), fc.uint8Array({ maxLength: 9000, size: 'max' }), (start, rest) => {
          try {
            readAs(path, Buffer.concat([Buffer.from(start, 'latin1'), rest]));
          } catch (error) {
            assert.ok(error instanceof FileFault || error instanceof CodedError, String(error));
          }
        }),
        { numRuns: 60 },
      );
    });
  }
});

describe('an archive of Java', () => {
  /** A zip archive; sizes may lie. */
  function zip(...files: readonly (readonly [name: string, contents: Uint8Array, told?: number])[]): Buffer {
    const [locals, entries]: [Buffer[], Buffer[]] = [[], []];
    let at = 0;
    for (const [name, contents, told = contents.length] of files) {
      const packed = deflateRawSync(contents);
      const local = Buffer.alloc(30);
      local.writeUInt32LE(0x04034b50, 0);
      local.writeUInt16LE(8, 8);
      local.writeUInt16LE(name.length, 26);
      const entry = Buffer.alloc(46);
      entry.writeUInt32LE(0x02014b50, 0);
      entry.writeUInt16LE(8, 10);
      entry.writeUInt32LE(packed.length, 20);
      entry.writeUInt32LE(told, 24);
      entry.writeUInt16LE(name.length, 28);
      entry.writeUInt32LE(at, 42);
      locals.push(local, Buffer.from(name), packed);
      entries.push(entry, Buffer.from(name));
      at += 30 + name.length + packed.length;
    }
    const directory = Buffer.concat(entries);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(at, 16);
    return Buffer.concat([...locals, directory, end]);
  }
  const pom = (name: string): readonly [string, Buffer] => [
    `META-INF/maven/g/${name}/pom.properties`,
    Buffer.from(`groupId=g\nartifactId=${name}\nversion=1\n`),
  ];
  const found = async (archive: Buffer): Promise<{ names: string[]; faults: string[] }> => {
    const { packages, findings } = await contentsOf([await layerOf(['app/a.jar', archive])]);
    return {
      names: packages.map(({ name }) => name),
      faults: findings.map(({ code, message }) => `${code} ${message}`),
    };
  };

  it('in archives in archives is read to a depth, and what lies deeper is a finding', async () => {
    let archive = zip(pom('p0'));
    for (let depth = 1; depth < 8; depth++) archive = zip(pom(`p${depth}`), [`lib/${depth}.jar`, archive]);
    const { names, faults } = await found(archive);
    assert.deepEqual(names, ['p4', 'p5', 'p6', 'p7']);
    assert.equal(faults.length, 1);
    assert.match(faults[0] ?? '', /^too-many .*5 deep in archives/);
  });

  it('that holds a bomb is told of, and the rest is read', async () => {
    const bomb = Buffer.alloc(3_000_000);
    const { names, faults } = await found(
      zip(pom('a'), ['META-INF/maven/g/x/pom.properties', bomb], ['META-INF/maven/g/y/pom.properties', bomb, 100]),
    );
    assert.deepEqual(names, ['a']);
    assert.match(faults[0] ?? '', /^file-too-large .*3000000 bytes/);
    assert.match(faults[1] ?? '', /^file-malformed .*cannot be unpacked/);
  });

  it('whose archives together are a bomb ends', async () => {
    const inner = zip(pom('inner'));
    const { faults } = await found(
      zip(...Array.from({ length: 5 }, (_, at) => [`${at}.jar`, inner, 90 * 1024 ** 2 * 2] as const)),
    );
    assert.ok(faults.length > 0 && faults.every((fault) => fault.startsWith('file-too-large')));
  });

  it('that was changed anywhere is read or refused', () => {
    const archive = zip(pom('a'), pom('b'));
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(archive);
        changed[at] = byte;
        try {
          const opened = new ZipArchive(changed);
          for (const entry of opened.entries()) opened.read(entry, 1000);
        } catch (error) {
          assert.ok(error instanceof FileFault, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});

it('any bytes in the place of a header of rpm give values or are refused', () => {
  fc.assert(
    fc.property(fc.nat(4), fc.nat(200), fc.uint8Array({ maxLength: 400 }), (count, length, rest) => {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(count, 0);
      head.writeUInt32BE(length, 4);
      try {
        const header = new RpmHeader(Buffer.concat([head, rest]));
        for (const tag of Object.values(Tag)) {
          header.texts(tag);
          header.numbers(tag);
        }
      } catch (error) {
        assert.ok(error instanceof FileFault, String(error));
      }
    }),
    { numRuns: 500 },
  );
});

it('names that are no UTF-8, or hold control characters, are made harmless', async () => {
  const status = Buffer.concat([
    Buffer.from('Package: ok\nVersion: 1\nMaintainer: J'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('\u001b[31m x\n\nPackage: b\u0007ad\nVersion: 2\n'),
  ]);
  const { packages, findings } = await contentsOf([await layerOf(['var/lib/dpkg/status', status])]);
  assert.deepEqual(
    packages.map(({ name }) => name),
    ['b ad', 'ok'],
  );
  for (const { supplier = '' } of packages) assert.doesNotMatch(supplier, /[\u0000-\u001f]/);
  assert.deepEqual(findings, []);
});

describe('a program', () => {
  const elf = Buffer.alloc(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(56, 54);
  const magic = Buffer.from('\xff Go buildinf:\x08\x02', 'latin1');

  it('that holds the magic of Go again and again, and no record, is told of', async () => {
    const claims = Buffer.concat([magic, Buffer.alloc(16), Buffer.from([0xff, 0xff, 0x7f]), Buffer.alloc(13)]);
    for (const piece of [magic, claims]) {
      const program = Buffer.concat([elf, ...Array.from({ length: 60_000 }, () => piece), Buffer.alloc(4_000_000)]);
      const { packages, findings } = await contentsOf([await layerOf(['usr/bin/x', program])]);
      assert.deepEqual(packages, []);
      assert.deepEqual(
        findings.map(({ code }) => code),
        ['file-malformed'],
      );
    }
  });

  it('of a Go before 1.18, or cut off in its record, is told of', async () => {
    const old = Buffer.from('\xff Go buildinf:\x08\x00', 'latin1');
    const cut = Buffer.concat([magic, Buffer.alloc(16), Buffer.from([0xff, 0x7f])]);
    for (const record of [old, cut]) {
      const program = Buffer.concat([elf, Buffer.alloc(8128), record, Buffer.alloc(16)]);
      const { findings } = await contentsOf([await layerOf(['usr/bin/x', program])]);
      assert.deepEqual(
        findings.map(({ code, path }) => [code, path]),
        [['file-malformed', '/usr/bin/x']],
      );
    }
  });

  it('that mentions the magic before its record is read all the same, however its bytes come', () => {
    const modules = Buffer.from(
      `${'s'.repeat(16)}path\texample.com/a\nmod\texample.com/a\tv1.0.0\t\n${'e'.repeat(16)}`,
    );
    const record = Buffer.concat([
      magic,
      Buffer.alloc(16),
      Buffer.from([6]),
      Buffer.from('go1.22'),
      Buffer.from([modules.length]),
      modules,
    ]);
    const program = Buffer.concat([
      elf,
      magic,
      Buffer.alloc(4000),
      magic,
      Buffer.alloc(5984),
      record,
      Buffer.alloc(100),
    ]);
    const reader = CATALOGERS.at(-1)?.select('x');
    assert.ok(reader?.kind === 'stream');
    for (const size of [1, 13, 700, 4096, program.length]) {
      const opened = reader.open(program.length);
      for (let at = 0; at < program.length; at += size) opened?.chunk(program.subarray(at, at + size));
      assert.deepEqual(
        opened?.end()?.packages?.map(({ name, version }) => [name, version]),
        [
          ['stdlib', '1.22'],
          ['a', 'v1.0.0'],
        ],
        `pieces of ${size} bytes`,
      );
    }
  });
});
