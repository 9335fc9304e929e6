// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { SbomError } from '../error.ts';
import { TarReader } from './tar-reader.ts';

interface Read {
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  readonly sparse: boolean;
  readonly contents: string;
}

function read(archive: Uint8Array, sizes: readonly number[] = [archive.length]): Read[] {
  const found: Read[] = [];
  const reader = new TarReader('the layer', 4096, ({ name, kind, target, sparse }) => {
    const chunks: Buffer[] = [];
    return {
      chunk: (bytes) => chunks.push(Buffer.from(bytes)),
      end: () => found.push({ name, kind, target, sparse, contents: Buffer.concat(chunks).toString('latin1') }),
    };
  });
  for (let at = 0, turn = 0; at < archive.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    reader.push(archive.subarray(at, at + size));
    at += size;
  }
  reader.end();
  return found;
}

async function packed(entries: readonly { name: string; contents: string }[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, contents } of entries) archive.entry({ name }, contents);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('a tar archive', () => {
  it('gives what was packed, however its bytes come', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', 'é', '-'), minLength: 1, maxLength: 300 });
    const entry = fc.record({
      name: name.filter((text) => !text.endsWith('/')),
      contents: fc.string({ unit: fc.constantFrom('x', 'y'), maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        fc.array(fc.nat(1500), { minLength: 1, maxLength: 5 }),
        async (entries, sizes) => {
          const archive = await packed(entries);
          assert.deepEqual(
            read(archive, sizes).map((one) => [one.name, one.contents]),
            entries.map((one) => [one.name, one.contents]),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of bytes of any kind is read or refused with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        try {
          read(bytes);
        } catch (error) {
          assert.ok(error instanceof SbomError, String(error));
        }
      }),
    );
  });

  it('of which any byte was changed is read or refused with a code', async () => {
    const archive = await packed([
      { name: 'a'.repeat(200), contents: 'x'.repeat(700) },
      { name: 'b', contents: 'y' },
    ]);
    fc.assert(
      fc.property(fc.nat(archive.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(archive);
        changed[at] = byte;
        try {
          read(changed);
        } catch (error) {
          assert.ok(error instanceof SbomError, String(error));
        }
      }),
    );
  });

  for (const format of ['gnu', 'posix', 'ustar', 'v7', 'oldgnu'] as const) {
    it(`is read as GNU tar wrote it in its format ${format}`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'bulla-tar-'));
      try {
        const long = format === 'v7' ? 'n'.repeat(90) : 'n'.repeat(99);
        writeFileSync(join(folder, 'plain'), 'contents');
        writeFileSync(join(folder, long), 'of a long name');
        symlinkSync('plain', join(folder, 'link'));
        const names = ['plain', long, 'link'];
        if (format === 'gnu' || format === 'posix') {
          names.push('l'.repeat(220), 'bad-\xff');
          writeFileSync(join(folder, 'l'.repeat(220)), 'of a longer name');
          writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff])]), 'no UTF-8');
        }
        const archive = execFileSync('tar', ['-c', `--format=${format}`, '-C', folder, '.']);
        const found = new Map(read(archive).map((one) => [one.name.replace(/^\.\//, ''), one]));
        assert.equal(found.get('plain')?.contents, 'contents');
        assert.equal(found.get(long)?.contents, 'of a long name');
        assert.deepEqual([found.get('link')?.kind, found.get('link')?.target], ['symlink', 'plain']);
        if (names.length > 3) {
          assert.equal(found.get('l'.repeat(220))?.contents, 'of a longer name');
          assert.equal(found.get('bad-\\xff')?.contents, 'no UTF-8');
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  for (const format of ['gnu', 'posix'] as const) {
    it(`knows a file with holes in the format ${format}, and reads on behind it`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'bulla-tar-'));
      try {
        writeFileSync(join(folder, 'a-holes'), 'x');
        // more pieces than the first header has room for
        truncateSync(join(folder, 'a-holes'), 4_000_000);
        execFileSync('sh', [
          '-c',
          `for at in 1 2 3 4 5 6 7 8 9; do printf y | dd of="$1" bs=1 seek=$((at * 400000)) conv=notrunc status=none; done`,
          'sh',
          join(folder, 'a-holes'),
        ]);
        writeFileSync(join(folder, 'b-plain'), 'contents');
        const archive = execFileSync('tar', [
          '-c',
          '--sparse',
          `--format=${format}`,
          '-C',
          folder,
          'a-holes',
          'b-plain',
        ]);
        const [holes, plain] = read(archive);
        assert.deepEqual([holes?.name, holes?.sparse], ['a-holes', true]);
        assert.deepEqual([plain?.name, plain?.sparse, plain?.contents], ['b-plain', false, 'contents']);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  it('ends at a block of zeros, as for Go and GNU tar', async () => {
    const archive = await packed([{ name: 'a', contents: 'x' }]);
    assert.deepEqual(
      read(Buffer.concat([archive, archive])).map(({ name }) => name),
      ['a'],
    );
  });
});
