// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { withLayoutLock } from './layout-lock.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bulla-lock-'));
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const quick = { patience: 200, abandoned: 60_000, unwritten: 60_000 };
const lockFile = (): string => join(root, '.bulla.lock');
const write = async (text: string, ageMs = 0): Promise<void> => {
  await writeFile(lockFile(), text);
  const then = new Date(Date.now() - ageMs);
  await utimes(lockFile(), then, then);
};
const owner = (pid: number, host = hostname(), started?: string): string => JSON.stringify({ pid, host, started });
/** The number of a process that is no more. */
const deadPid = (): number => spawnSync(process.execPath, ['--version']).pid;
const enter = async (times = quick): Promise<string> => withLayoutLock(root, async () => 'entered', times);

describe('the lock of a layout', () => {
  test('lets one in at a time, in turn, and leaves no file', async () => {
    const log: string[] = [];
    const enterAs = (n: number) => async (): Promise<void> => {
      log.push(`${n} in`);
      await pause(1);
      log.push(`${n} out`);
    };
    await Promise.all([1, 2, 3].map(async (n) => withLayoutLock(root, enterAs(n))));
    assert.deepEqual(log, ['1 in', '1 out', '2 in', '2 out', '3 in', '3 out']);
    assert.deepEqual(await readdir(root), []);
  });

  test('is free again after a writer failed', async () => {
    const failing = withLayoutLock(root, async () => {
      throw new Error('disk full');
    });
    await assert.rejects(failing, { message: 'disk full' });
    assert.equal(await enter(), 'entered');
  });

  test('names its process while it is held', async () => {
    await withLayoutLock(root, async () => {
      const held: unknown = JSON.parse(await readFile(lockFile(), 'utf8'));
      assert.ok(typeof held === 'object' && held !== null && 'pid' in held && 'host' in held);
      assert.deepEqual([held.pid, held.host], [process.pid, hostname()]);
    });
  });

  test('of a dead process is broken', async () => {
    await write(owner(deadPid()));
    assert.equal(await enter(), 'entered');
    assert.deepEqual(await readdir(root), []);
  });

  test(
    "of a process whose number is another one's by now is broken",
    { skip: process.platform !== 'linux' },
    async () => {
      await write(owner(process.pid, hostname(), '1'));
      assert.equal(await enter(), 'entered');
    },
  );

  for (const [whose, text] of [
    ['a living process', () => owner(process.ppid)],
    ['a process on another machine', () => owner(deadPid(), 'elsewhere.example')],
    ['someone who does not say who', () => 'mine!'],
    ['someone who says too much', () => owner(deadPid()).padEnd(10_000)],
  ] as const) {
    test(`of ${whose} is waited for, not broken; then the error says what to do`, async () => {
      const held = text();
      await write(held);
      await assert.rejects(enter(), {
        name: 'RegistryError',
        code: 'conflict',
        message: /if nothing writes there, remove the file$/,
      });
      assert.equal(await readFile(lockFile(), 'utf8'), held);
      assert.deepEqual(await readdir(root), ['.bulla.lock']);
    });
  }

  test('is broken at an age that no writer reaches', async () => {
    await write(owner(process.ppid), 11 * 60_000);
    assert.equal(await enter({ ...quick, abandoned: 10 * 60_000 }), 'entered');
    await write('', 11_000);
    assert.equal(await enter({ ...quick, unwritten: 10_000 }), 'entered');
  });

  test('that is a link is not followed', async () => {
    const outside = join(root, 'outside');
    await writeFile(outside, 'precious');
    await symlink(outside, lockFile());
    await assert.rejects(enter(), { code: 'conflict' });
    assert.equal(await readFile(outside, 'utf8'), 'precious');
  });

  test('that was broken meanwhile fails the commit, and stays with its new owner', async () => {
    const text = owner(process.ppid);
    const outcome = withLayoutLock(root, async (lock) => {
      await write(text);
      await lock.assertHeld();
    });
    await assert.rejects(outcome, { code: 'conflict', message: /nothing was written/ });
    assert.equal(await readFile(lockFile(), 'utf8'), text);
  });

  test('is broken by one only of many who find it stale', async () => {
    await write(owner(deadPid()));
    let inside = 0;
    const entered = async (): Promise<void> => {
      assert.equal(++inside, 1);
      await pause(2);
      inside--;
    };
    // Other processes have no queue in common; neither have other names of the same directory.
    const names = ['', '/.', '/./.', '/././.'];
    await Promise.all(names.map(async (name) => withLayoutLock(root + name, entered, { ...quick, patience: 10_000 })));
  });
});
