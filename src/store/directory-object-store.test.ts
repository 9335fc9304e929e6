// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { DirectoryObjectStore } from './directory-object-store.ts';
import { disk } from './disk.ts';
import type { FileSystem } from './file-system.ts';
import { GroupFlush } from './group-flush.ts';
import { LossyFileSystem, type Mischief } from './lossy-file-system.fixture.ts';
import { gather, objectStoreContract, pattern, put, type ObjectStoreSubject } from './object-store.contract.ts';
import { StoreError } from './store-error.ts';

async function onDisk(root?: string): Promise<ObjectStoreSubject> {
  const directory = root ?? (await mkdtemp(join(tmpdir(), 'bulla-store-')));
  const store = await DirectoryObjectStore.open(directory);
  return {
    store,
    reopen: () => onDisk(directory),
    end: async () => {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function inMemory(files: LossyFileSystem = new LossyFileSystem('/')): Promise<ObjectStoreSubject> {
  const store = await DirectoryObjectStore.open('/', files);
  return {
    store,
    reopen: () => inMemory(files.crash(() => 0)),
    end: async () => {},
  };
}

objectStoreContract('a directory', onDisk);
objectStoreContract('a directory on a file system that loses what was not flushed', inMemory);

/** Numbers in [0, 1) from a seed. @see https://en.wikipedia.org/wiki/Linear_congruential_generator */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const CONTENT: ReadonlyMap<string, Buffer> = new Map([
  ['sha256/aa/one', pattern(10)],
  ['sha256/aa/two', pattern(1_200_000)],
  ['sha256/bb/three', pattern(600_000)],
]);

/** Puts all at once until the power is gone; answers what was acknowledged. */
async function pushUntilHalt(files: FileSystem): Promise<Set<string>> {
  const acknowledged = new Set<string>();
  const store = await DirectoryObjectStore.open('/', files);
  const pushes = [...CONTENT].map(async ([key, bytes]) => {
    await put(store, key, bytes);
    acknowledged.add(key);
  });
  await Promise.allSettled(pushes);
  return acknowledged;
}

/** What is wrong with a store after a power cut. */
async function damage(files: LossyFileSystem, acknowledged: ReadonlySet<string>): Promise<string[]> {
  const store = await DirectoryObjectStore.open('/', files);
  const faults: string[] = [];
  for (const [key, bytes] of CONTENT) {
    if ((await store.size(key)) === undefined) {
      if (acknowledged.has(key)) faults.push(`${key} was acknowledged and is gone`);
    } else if (!(await gather(store.read(key))).equals(bytes)) faults.push(`${key} shows and is not whole`);
  }
  return faults;
}

/** Cuts the power after each operation in turn, several times over. */
async function cutEverywhere(mischief: Mischief): Promise<{ faults: string[]; acknowledged: number; cuts: number }> {
  const whole = new LossyFileSystem('/');
  await pushUntilHalt(whole);
  const faults: string[] = [];
  let acknowledged = 0;
  for (let haltAfter = 3; haltAfter <= whole.operations; haltAfter++) {
    const files = new LossyFileSystem('/', { ...mischief, haltAfter });
    const known = await pushUntilHalt(files).catch(() => new Set<string>());
    acknowledged += known.size;
    for (let seed = 1; seed <= 8; seed++) {
      faults.push(...(await damage(files.crash(seeded(haltAfter * 100 + seed)), known)));
    }
  }
  return { faults, acknowledged, cuts: whole.operations };
}

describe('a power cut', () => {
  test('at any operation loses nothing acknowledged and shows nothing torn', async () => {
    const { faults, acknowledged, cuts } = await cutEverywhere({});
    assert.deepEqual(faults, []);
    assert.ok(cuts > 20, `only ${cuts} operations were cut`);
    assert.ok(acknowledged > 5, `only ${acknowledged} objects were acknowledged`);
  });

  test('is noticed by this test where content is not flushed', async () => {
    const { faults } = await cutEverywhere({ ignoreFlush: true });
    assert.ok(faults.some((fault) => fault.includes('not whole')));
  });

  test('is noticed by this test where names are not flushed', async () => {
    const { faults } = await cutEverywhere({ ignoreDirectoryFlush: true });
    assert.ok(faults.some((fault) => fault.includes('is gone')));
  });
});

describe('a disk that fails once', () => {
  test('at any operation is told to the writer, leaves nothing torn, and the next put succeeds', async () => {
    const whole = new LossyFileSystem('/');
    const opening = await DirectoryObjectStore.open('/', whole).then(() => whole.operations);
    await put(await DirectoryObjectStore.open('/', whole), 'a/k', pattern(1_200_000));
    let told = 0;
    for (let failAt = opening + 1; failAt <= whole.operations - opening; failAt++) {
      const files = new LossyFileSystem('/', { failAt });
      const store = await DirectoryObjectStore.open('/', files);
      const outcome = await put(store, 'a/k', pattern(1_200_000)).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (outcome !== undefined) {
        told += 1;
        assert.ok(outcome instanceof StoreError && outcome.code === 'io-failed', inspect(outcome));
      }
      await put(store, 'a/k', pattern(1_200_000));
      assert.deepEqual(await gather(store.read('a/k')), pattern(1_200_000));
      assert.deepEqual(await damage(files.crash(seeded(failAt)), new Set()), []);
    }
    assert.ok(told >= 5, `only ${told} failures were told`);
  });

  test('is told to the writer where it fails to flush a large object on the way, though the last flush succeeds', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-store-'));
    try {
      let flushes = 0;
      const flaky: FileSystem = {
        ...disk,
        create: async (path) => {
          const file = await disk.create(path);
          return {
            write: (chunks) => file.write(chunks),
            close: () => file.close(),
            flush: async () => {
              flushes += 1;
              if (flushes === 1) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
              await file.flush();
            },
          };
        },
      };
      const store = await DirectoryObjectStore.open(root, flaky);
      await assert.rejects(put(store, 'k', pattern(20 * 1024 * 1024)), { code: 'io-failed' });
      assert.equal(await store.size('k'), undefined);
      assert.deepEqual(await readdir(join(root, 'staging')), []);
      await put(store, 'k', pattern(20 * 1024 * 1024));
      assert.equal(flushes, 3);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('says that no space is left', async () => {
    const files = new LossyFileSystem('/');
    const full: FileSystem = {
      makeDirectory: (path) => files.makeDirectory(path),
      open: (path) => files.open(path),
      size: (path) => files.size(path),
      list: (path) => files.list(path),
      rename: (from, to) => files.rename(from, to),
      remove: (path) => files.remove(path),
      flushDirectory: (path) => files.flushDirectory(path),
      create: async (path) => {
        const file = await files.create(path);
        return {
          ...file,
          write: async () => {
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          },
        };
      },
    };
    const store = await DirectoryObjectStore.open('/', full);
    await assert.rejects(put(store, 'k', pattern(10)), { code: 'full' });
    assert.deepEqual(await files.list('/staging'), []);
  });
});

describe('the staging folder', () => {
  test('is empty after commits and discards', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-store-'));
    try {
      const store = await DirectoryObjectStore.open(root);
      await put(store, 'k', pattern(1_000_000));
      const staged = store.stage();
      await staged.append(pattern(1_000_000));
      await staged.discard();
      assert.deepEqual(await readdir(join(root, 'staging')), []);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('a group flush', () => {
  test('answers nobody by a flush that began before they asked, and lets those who wait share one', async () => {
    const begun: (() => void)[] = [];
    const group = new GroupFlush(() => new Promise((resolve) => begun.push(resolve)));
    const answered: string[] = [];
    const ask = (name: string) => group.flush('d').then(() => answered.push(name));
    const all = [ask('a')];
    await tick();
    all.push(ask('b'), ask('c'));
    await tick();
    assert.equal(begun.length, 1);
    begun[0]?.();
    await tick();
    assert.deepEqual(answered, ['a']);
    assert.equal(begun.length, 2);
    begun[1]?.();
    await Promise.all(all);
    assert.deepEqual(answered, ['a', 'b', 'c']);
  });

  test('tells a failure to those who shared it and flushes again for the next', async () => {
    let calls = 0;
    const group = new GroupFlush(async () => {
      calls += 1;
      if (calls === 1) throw new Error('EIO');
    });
    const [first, second] = [group.flush('d'), group.flush('d')];
    await assert.rejects(first, /EIO/);
    await assert.rejects(second, /EIO/);
    await group.flush('d');
    assert.equal(calls, 2);
  });
});

function tick(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('a copy of a directory', () => {
  test('has every object that was there when its references were copied, though it is deleted meanwhile', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-store-'));
    const store = await DirectoryObjectStore.open(root);
    const copied = await mkdtemp(join(tmpdir(), 'bulla-store-'));
    try {
      for (const [key, bytes] of CONTENT) await put(store, key, bytes);
      let removed: Promise<boolean> | undefined;
      await store.copyTo(copied, async () => {
        removed = store.delete('sha256/aa/one');
      });
      assert.equal(await removed, true);
      assert.equal(await store.size('sha256/aa/one'), undefined);
      const copy = await DirectoryObjectStore.open(copied);
      for (const [key, bytes] of CONTENT) assert.deepEqual(await gather(copy.read(key)), bytes);
      await copy.close();
      await assert.rejects(
        store.copyTo(copied, async () => {}),
        (error) => error instanceof StoreError && error.code === 'io-failed',
      );
    } finally {
      await store.close();
      for (const folder of [root, copied]) await rm(folder, { recursive: true, force: true });
    }
  });
});
