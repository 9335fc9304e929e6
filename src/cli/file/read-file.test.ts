// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CliError } from '../cli-error.ts';
import { readFile } from './read-file.ts';

let cwd: string;
before(() => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-read-'));
  writeFileSync(join(cwd, 'ten'), '0123456789');
  writeFileSync(join(cwd, 'empty'), '');
});
after(() => rmSync(cwd, { recursive: true, force: true }));

const read = (name: string, maxBytes = 100): Promise<Uint8Array> =>
  readFile(name, { cwd, what: 'public key', maxBytes });

describe('readFile', () => {
  it('reads relative to the working folder of the command', async () => {
    assert.equal(Buffer.from(await read('ten')).toString(), '0123456789');
  });

  it('reads up to its limit', async () => {
    assert.equal((await read('ten', 10)).byteLength, 10);
    assert.equal((await read('empty', 0)).byteLength, 0);
  });

  it('reads a pipe', async () => {
    assert.equal(spawnSync('mkfifo', [join(cwd, 'pipe')]).status, 0);
    const reading = read('pipe');
    const writer = await open(join(cwd, 'pipe'), 'w');
    await writer.write('through');
    await writer.close();
    assert.equal(Buffer.from(await reading).toString(), 'through');
  });

  it('stops reading a device that never ends', async () => {
    await assert.rejects(
      read('/dev/zero', 1000),
      (error) => error instanceof CliError && error.code === 'input-too-large',
    );
  });

  const refusals: readonly [string, number, string, string][] = [
    ['ten', 9, 'input-too-large', 'reading public key: ten is larger than 9 bytes'],
    ['nope', 9, 'file-missing', 'reading public key: open nope: no such file or directory'],
    ['ten/nope', 9, 'file-missing', 'reading public key: open ten/nope: not a directory'],
    ['.', 9, 'file-unreadable', 'reading public key: open .: is a directory'],
  ];
  for (const [name, maxBytes, code, message] of refusals) {
    it(`says of ${name}: ${code}`, async () => {
      await assert.rejects(read(name, maxBytes), (error) => {
        assert.ok(error instanceof CliError);
        assert.equal(error.code, code);
        assert.equal(error.message, message);
        return true;
      });
    });
  }
});
