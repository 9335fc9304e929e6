// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { readTar, type ReadEntry } from './read-tar.fixture.ts';
import { nameOf, tarHeader, tarPadding, type TarEntry } from './tar-header.ts';

const read = (entry: TarEntry, content = new Uint8Array(0)): ReadEntry => {
  const parts = [tarHeader(entry), content, tarPadding(content.byteLength), new Uint8Array(1024)];
  const [first, ...others] = readTar(Buffer.concat(parts));
  assert.ok(first !== undefined && others.length === 0);
  return first;
};
const file: TarEntry = { kind: 'file', path: 'a', mode: 0o644, size: 0, mtime: 0 };

describe('a tar header', () => {
  test('of a plain file is one block with no trace of the machine', () => {
    const header = tarHeader({ ...file, mode: 0o4755, mtime: 1_700_000_000 });
    assert.equal(header.byteLength, 512);
    const { path, type, mode, mtime, owner } = read({ ...file, mode: 0o4755, mtime: 1_700_000_000 });
    assert.deepEqual([path, type, mode, mtime, owner], ['a', '0', 0o4755, 1_700_000_000, '0:0 :']);
  });

  test('of a directory ends in a slash, of a link says where it leads', () => {
    assert.deepEqual(
      [read({ ...file, kind: 'directory' }).path, read({ ...file, kind: 'directory' }).type],
      ['a/', '5'],
    );
    const link = read({ ...file, kind: 'link', target: '../b' });
    assert.deepEqual([link.type, link.target], ['2', '../b']);
  });

  test('needs no extension up to 100 characters', () => {
    assert.equal(tarHeader({ ...file, path: 'x'.repeat(100) }).byteLength, 512);
    assert.equal(tarHeader({ ...file, path: 'x'.repeat(101) }).byteLength, 3 * 512);
    assert.equal(tarHeader({ ...file, kind: 'directory', path: 'x'.repeat(100) }).byteLength, 3 * 512);
  });

  test('says sizes and times that do not fit the old fields in an extension', () => {
    // Only headers: nobody wants 8 GiB of content here.
    const header = Buffer.from(tarHeader({ ...file, size: 8 * 1024 ** 3, mtime: 8 * 1024 ** 3 }));
    assert.equal(header.toString('latin1', 512, 512 + 39), '19 size=8589934592\n20 mtime=8589934592\n');
    assert.equal(tarHeader({ ...file, size: 8 * 1024 ** 3 - 1, mtime: 8 * 1024 ** 3 - 1 }).byteLength, 512);
  });

  test('can be read back, whatever the names, links and content', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }).filter((text) => !/[\0]|\/$/.test(text));
    const entries = fc.record({ path: name, target: name, mode: fc.nat(0o7777), mtime: fc.nat(253_402_300_799) });
    fc.assert(
      fc.property(entries, fc.uint8Array({ maxLength: 1200 }), ({ path, target, mode, mtime }, content) => {
        const asFile = read({ ...file, path, mode, mtime, size: content.byteLength }, content);
        assert.deepEqual([asFile.path, asFile.mode, asFile.mtime], [path, mode, mtime]);
        assert.deepEqual(asFile.content, content);
        const asLink = read({ ...file, kind: 'link', path, target });
        assert.deepEqual([asLink.path, asLink.target], [path, target]);
      }),
    );
  });

  test('counts the digits of its own length', () => {
    for (let length = 85; length < 110; length++) {
      const path = `ü${'x'.repeat(length)}`;
      assert.equal(read({ ...file, path }).path, path);
    }
  });
});

test('a name that is no UTF-8 is refused', () => {
  assert.equal(nameOf(new TextEncoder().encode('übung'), '/dir'), 'übung');
  assert.throws(() => nameOf(new Uint8Array([0x61, 0xff]), '/dir'), {
    code: 'name-unsupported',
    message: /in '\/dir' is not UTF-8/,
  });
});
