// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CliError } from '../cli-error.ts';
import type { LockFile } from './pinned-paths.ts';
import { writePins } from './write-pins.ts';

let folder = '';
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'bulla-write-pins-')));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const lockOf = (text?: string): LockFile => ({
  shown: 'bulla.lock',
  folder,
  name: 'bulla.lock',
  text,
  lock: undefined,
});
const changed = (error: unknown): boolean =>
  error instanceof CliError && error.code === 'file-unwritable' && /has changed while/.test(error.message);

describe('writePins', () => {
  it('writes the files and the lock', () => {
    write('a.yaml', 'old');
    writePins([{ name: 'a.yaml', before: 'old', after: 'new' }], lockOf(), 'lock');
    assert.deepEqual([read('a.yaml'), read('bulla.lock'), readdirSync(folder).length], ['new', 'lock', 2]);
  });

  it('writes nothing where another process was faster', () => {
    write('a.yaml', 'old');
    write('b.yaml', 'theirs');
    const files = ['a.yaml', 'b.yaml'].map((name) => ({ name, before: 'old', after: 'new' }));
    assert.throws(() => writePins(files, lockOf(), 'lock'), changed);
    assert.deepEqual([read('a.yaml'), read('b.yaml'), readdirSync(folder).length], ['old', 'theirs', 2]);
  });

  it('writes nothing where a file is gone, or the lock is another', () => {
    write('a.yaml', 'old');
    const file = { name: 'a.yaml', before: 'old', after: 'new' };
    assert.throws(() => writePins([{ ...file, name: 'gone.yaml' }], lockOf(), 'lock'), changed);
    write('bulla.lock', 'theirs');
    assert.throws(() => writePins([file], lockOf(), 'lock'), changed);
    assert.throws(() => writePins([file], lockOf('ours'), 'lock'), changed);
    assert.deepEqual([read('a.yaml'), read('bulla.lock')], ['old', 'theirs']);
  });

  it('follows no link that was laid meanwhile', () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'bulla-elsewhere-'));
    try {
      writeFileSync(join(elsewhere, 'a.yaml'), 'old');
      symlinkSync(join(elsewhere, 'a.yaml'), join(folder, 'a.yaml'));
      symlinkSync(elsewhere, join(folder, 'sub'));
      for (const name of ['a.yaml', 'sub/a.yaml'])
        assert.throws(() => writePins([{ name, before: 'old', after: 'new' }], lockOf(), 'lock'), changed);
      assert.equal(readFileSync(join(elsewhere, 'a.yaml'), 'utf8'), 'old');
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
  });

  it('leaves every file whole, and the lock no newer than they are, however it is killed', async () => {
    const [old, fresh] = ['old\n'.repeat(5000), 'new\n'.repeat(5000)];
    const names = Array.from({ length: 40 }, (_, at) => `${at}.yaml`);
    const script = `
      import { writePins } from ${JSON.stringify(new URL('./write-pins.ts', import.meta.url).href)};
      const [old, fresh] = ['old\\n'.repeat(5000), 'new\\n'.repeat(5000)];
      const names = ${JSON.stringify(names)};
      const lock = { shown: 'bulla.lock', folder: ${JSON.stringify(folder)}, name: 'bulla.lock', text: old, lock: undefined };
      console.log('begin');
      writePins(names.map((name) => ({ name, before: old, after: fresh })), lock, fresh);`;
    for (const delay of [0, 5, 10, 20, 40]) {
      for (const name of [...names, 'bulla.lock']) write(name, old);
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      setTimeout(() => child.kill('SIGKILL'), delay);
      await ended;
      const now = names.map(read);
      assert.ok(now.every((text) => text === old || text === fresh));
      assert.ok(read('bulla.lock') === old || (read('bulla.lock') === fresh && now.every((text) => text === fresh)));
    }
  });
});
