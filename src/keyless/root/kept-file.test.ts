// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readKept, replaceFile } from './kept-file.ts';

const SIZE = 256 * 1024;

describe('a file that is kept between runs', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bulla-kept-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is nothing where there is none, where it is larger than it may be, and where it is a folder', async () => {
    const path = join(folder, 'small');
    assert.equal(await readKept(path, 10), undefined);
    await replaceFile(path, Buffer.from('eleven byte'));
    assert.equal(await readKept(path, 10), undefined);
    assert.equal(Buffer.from((await readKept(path, 11)) ?? []).toString(), 'eleven byte');
    assert.equal(await readKept(folder, 10), undefined);
  });

  it('is whole, old or new, whenever its writer is killed', async () => {
    const path = join(folder, 'state');
    await replaceFile(path, Buffer.alloc(SIZE, 'a'));
    const program = `
      const { replaceFile } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'kept-file.ts')).href)});
      process.stdout.write('ready');
      for (let n = 0; ; n++) await replaceFile(${JSON.stringify(path)}, Buffer.alloc(${SIZE}, 'b' + n));
    `;
    for (const [round, delay] of [3, 11, 17, 29].entries()) {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      await new Promise((resolve) => child.stdout.once('data', resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      assert.equal((await readKept(path, SIZE))?.byteLength, SIZE, `round ${round}`);
    }
    assert.ok(readdirSync(folder).length <= 2 + 4);
  });

  it('says why it cannot be written, and leaves nothing', async () => {
    await assert.rejects(replaceFile(join(folder, 'small', 'below'), Buffer.of(1)), {
      code: 'cache-unwritable',
      message: /cannot be written \((?:ENOTDIR|EEXIST)\)$/,
    });
  });
});
