// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { sweepLeftovers, temporaryName } from './leftovers.ts';
import { replaceFiles } from './replace-files.ts';

const HOUR = 3_600_000;
/** a process that has ended */
const gone = spawnSync(process.execPath, ['--version']).pid;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-leftovers-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string): void => writeFileSync(join(folder, name), 'text');
const ofGone = (what: 'new' | 'old'): string =>
  basename(temporaryName('app.yaml', what)).replace(`.${process.pid}-`, `.${gone}-`);

describe('sweepLeftovers', () => {
  it('removes what a process that was killed has left', () => {
    for (const name of ['app.yaml', ofGone('new'), ofGone('old')]) write(name);
    sweepLeftovers(folder, Date.now() + HOUR);
    assert.deepEqual(readdirSync(folder), ['app.yaml']);
  });

  it('leaves what a process that runs is at work on', () => {
    write(basename(temporaryName('app.yaml', 'new')));
    sweepLeftovers(folder, Date.now() + HOUR);
    assert.equal(readdirSync(folder).length, 1);
  });

  it('leaves what is new: a process of another machine cannot be seen from here', () => {
    write(ofGone('new'));
    sweepLeftovers(folder);
    assert.equal(readdirSync(folder).length, 1);
  });

  it('leaves all that has another name, and what is no file', () => {
    const names = [
      `app.yaml.${gone}-abc123.new`,
      `${gone}-abc123.bulla-new.txt`,
      'app.bulla-new',
      `a.x-abc123.bulla-new`,
    ];
    for (const name of names) write(name);
    mkdirSync(join(folder, ofGone('new')));
    symlinkSync('nowhere', join(folder, ofGone('old')));
    sweepLeftovers(folder, Date.now() + HOUR);
    assert.equal(readdirSync(folder).length, names.length + 2);
  });

  it('takes a folder that cannot be listed for an empty one', () => {
    sweepLeftovers(join(folder, 'missing'));
    assert.deepEqual(readdirSync(folder), []);
  });

  it('is done in each folder in which files are replaced, and not in others', () => {
    mkdirSync(join(folder, 'other'));
    const [left, other] = [ofGone('old'), join('other', ofGone('old'))];
    for (const name of [left, other]) write(name);
    const file = { path: join(folder, 'app.yaml'), bytes: Buffer.from('new'), mode: 0o644 };
    replaceFiles([file], { now: Date.now() + HOUR });
    assert.deepEqual(readdirSync(folder).toSorted(), ['app.yaml', 'other']);
    assert.equal(readdirSync(join(folder, 'other')).length, 1);
  });
});
