// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CliError } from '../cli-error.ts';
import { replaceFiles, type NewFile } from './replace-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string, mode = 0o644): NewFile => ({
  path: join(folder, name),
  bytes: Buffer.from(text),
  mode,
});
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
const code = (expected: string) => (error: unknown) => error instanceof CliError && error.code === expected;

describe('replaceFiles', () => {
  it('writes files with their permissions and leaves nothing else', () => {
    replaceFiles([file('a.key', 'secret', 0o600), file('a.pub', 'public')]);
    assert.equal(read('a.key'), 'secret');
    assert.equal(read('a.pub'), 'public');
    assert.equal(statSync(join(folder, 'a.key')).mode & 0o777, 0o600);
    assert.equal(statSync(join(folder, 'a.pub')).mode & 0o777, 0o644 & ~process.umask());
    assert.deepEqual(readdirSync(folder).toSorted(), ['a.key', 'a.pub']);
  });

  it('replaces what was there, permissions too', () => {
    writeFileSync(join(folder, 'a.key'), 'old');
    chmodSync(join(folder, 'a.key'), 0o644);
    replaceFiles([file('a.key', 'new', 0o600)]);
    assert.equal(read('a.key'), 'new');
    assert.equal(statSync(join(folder, 'a.key')).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['a.key']);
  });

  it('keepMode: leaves the permissions of what was there, whatever the umask', () => {
    writeFileSync(join(folder, 'a.yaml'), 'old');
    chmodSync(join(folder, 'a.yaml'), 0o666);
    replaceFiles([
      { ...file('a.yaml', 'new'), keepMode: true },
      { ...file('b.yaml', 'new', 0o640), keepMode: true },
    ]);
    assert.equal(statSync(join(folder, 'a.yaml')).mode & 0o777, 0o666);
    assert.equal(statSync(join(folder, 'b.yaml')).mode & 0o777, 0o640 & ~process.umask());
    assert.equal(read('a.yaml'), 'new');
  });

  it('writes none where the last cannot be written', () => {
    assert.throws(() => replaceFiles([file('a.key', 'new'), file('missing/a.pub', 'new')]), code('file-unwritable'));
    assert.deepEqual(readdirSync(folder), []);
  });

  it('puts the first back where the second cannot take its place', () => {
    writeFileSync(join(folder, 'a.key'), 'old');
    mkdirSync(join(folder, 'a.pub'));
    assert.throws(() => replaceFiles([file('a.key', 'new'), file('a.pub', 'new')]), code('file-unwritable'));
    assert.equal(read('a.key'), 'old');
    assert.deepEqual(readdirSync(folder).toSorted(), ['a.key', 'a.pub']);
  });

  it('removes the first again where the second cannot take its place and there was none', () => {
    mkdirSync(join(folder, 'a.pub'));
    assert.throws(() => replaceFiles([file('a.key', 'new'), file('a.pub', 'new')]), code('file-unwritable'));
    assert.deepEqual(readdirSync(folder), ['a.pub']);
  });

  it('exclusive: refuses what exists and writes none', () => {
    writeFileSync(join(folder, 'a.pub'), 'old');
    assert.throws(
      () => replaceFiles([file('a.key', 'new'), file('a.pub', 'new')], { exclusive: true }),
      code('file-exists'),
    );
    assert.deepEqual(readdirSync(folder), ['a.pub']);
    assert.equal(read('a.pub'), 'old');
  });

  it('exclusive: refuses a link that leads nowhere', () => {
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'a.key'));
    assert.throws(() => replaceFiles([file('a.key', 'new')], { exclusive: true }), code('file-exists'));
    assert.deepEqual(readdirSync(folder), ['a.key']);
  });

  it('follows a link instead of replacing it', () => {
    mkdirSync(join(folder, 'vault'));
    writeFileSync(join(folder, 'vault/real.key'), 'old');
    symlinkSync(join(folder, 'vault/real.key'), join(folder, 'a.key'));
    replaceFiles([file('a.key', 'new')]);
    assert.ok(lstatSync(join(folder, 'a.key')).isSymbolicLink());
    assert.equal(read('vault/real.key'), 'new');
    assert.deepEqual(readdirSync(join(folder, 'vault')), ['real.key']);
  });

  it('writes to a device and leaves it one', () => {
    replaceFiles([{ path: '/dev/null', bytes: Buffer.from('x'), mode: 0o644 }]);
    assert.ok(lstatSync('/dev/null').isCharacterDevice());
  });

  it('names the file and what the system said', () => {
    assert.throws(
      () => replaceFiles([file('missing/a', 'x')]),
      /^CliError: cannot write .*missing\/a: no such file or directory$/,
    );
  });
});
