// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SqliteDatabase } from '../../store/index.ts';
import { verifyConsistency } from '../../trust/index.ts';
import { headOf } from './append-log.contract.ts';
import { checkLog } from './check-log.ts';
import { entryOf, NAME, ORIGIN } from './log.fixture.ts';
import { checkpointSigner } from './memory-log.fixture.ts';
import { openAppendLog } from './open-append-log.ts';
import { LossyDisk, readTrace, straceArguments, type DiskOperation } from './power-cut.fixture.ts';

/** entries of each of 16 clients: so many that the write-ahead log is carried over into the database, and begun anew */
const EACH = 150;
const CUTS = 120;

const leftOut =
  process.versions['bun'] !== undefined
    ? 'bun writes to its stdout from another thread, so that a trace has no order'
    : spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0
      ? 'strace is not there, or may not trace'
      : false;

/** Numbers in [0, 1) that are the same in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

/** What was told before the power went: where entries are, and the largest tree that was shown. */
interface Told {
  readonly places: ReadonlyMap<string, number>;
  readonly size: number;
  readonly root: string;
}

/** What the next start finds, compared with what was told. @returns what is wrong */
async function lookAt(folder: string, told: Told): Promise<readonly string[]> {
  const database = await SqliteDatabase.open(join(folder, 'log.db'));
  try {
    const signCheckpoint = await checkpointSigner(ORIGIN);
    const options = { database, name: NAME, origin: ORIGIN, signCheckpoint, now: () => new Date() };
    const log = await openAppendLog(options);
    const wrong: string[] = [];
    const kept: string[] = [];
    for (let from = 0; from < log.tree().size; from += 1000) {
      for (const { leaf } of await log.entries(from, 1000)) kept.push(Buffer.from(leaf).toString());
    }
    for (const [text, place] of told.places) {
      if (kept[place] !== text) wrong.push(`entry ${place} is ${kept[place]}, acknowledged was ${text}`);
    }
    if (new Set(kept).size !== kept.length) wrong.push('an entry is there twice');
    const proof = told.size > kept.length ? [] : await log.consistency(told.size, kept.length);
    const shown = { size: told.size, root: Buffer.from(told.root, 'hex') };
    if (told.size > 0 && !verifyConsistency(shown, headOf(log.tree()), proof))
      wrong.push(`the tree of ${told.size} that was shown is not what there is`);
    const next = await log.append(entryOf('after the cut'));
    if (next.index !== kept.length) wrong.push(`the next entry is ${next.index}, expected ${kept.length}`);
    const { findings } = await checkLog({ database, name: NAME, origin: ORIGIN });
    await log.close();
    return [...wrong, ...findings.map(({ message }) => message)];
  } finally {
    await database.close();
  }
}

test('a log whose write-ahead log has a torn end has every entry that was acknowledged before', async () => {
  const root = await mkdtemp(join(tmpdir(), 'bulla-torn-'));
  const random = randomFrom(3);
  try {
    const file = join(root, 'log.db');
    const database = await SqliteDatabase.open(file);
    const signCheckpoint = await checkpointSigner(ORIGIN);
    const log = await openAppendLog({ database, name: NAME, origin: ORIGIN, signCheckpoint, now: () => new Date() });
    const told: { readonly length: number; readonly told: Told }[] = [];
    const places = new Map<string, number>();
    for (let at = 0; at < 40; at++) {
      const { index, tree } = await log.append(entryOf(`entry ${at}`));
      places.set(`entry ${at}`, index);
      const { size, rootHash } = tree;
      const { length } = await readFile(`${file}-wal`);
      told.push({ length, told: { places: new Map(places), size, root: Buffer.from(rootHash).toString('hex') } });
    }
    const [content, wal] = [await readFile(file), await readFile(`${file}-wal`)];
    await log.close();
    await database.close();
    for (let cut = 0; cut < 60; cut++) {
      const at = Math.floor(random() * told.length);
      const { length = 0, told: until } = told[at] ?? {};
      assert.ok(until !== undefined);
      const end = length + Math.floor(random() * (wal.length - length + 1));
      const torn = Buffer.from(wal.subarray(0, end));
      // Of what came later some is not what was written.
      if (cut % 2 === 0) torn.fill(cut, length + Math.floor(random() * (end - length)), end);
      const survivors = join(root, `after-${cut}`);
      await mkdir(survivors);
      await writeFile(join(survivors, 'log.db'), content);
      await writeFile(join(survivors, 'log.db-wal'), torn);
      assert.deepEqual(await lookAt(survivors, until), []);
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

describe('a log whose power is cut', { skip: leftOut }, () => {
  let root = '';
  let folder = '';
  const operations: DiskOperation[] = [];

  before(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'bulla-power-')));
    folder = join(root, 'data');
    await mkdir(folder);
    const trace = join(root, 'trace');
    const load = fileURLToPath(new URL('kill-under-load.fixture.ts', import.meta.url));
    const { status, stderr } = spawnSync(
      'strace',
      [...straceArguments(trace), process.execPath, load, folder, 'run', String(EACH)],
      { encoding: 'utf8', maxBuffer: 2 ** 28 },
    );
    assert.equal(status, 0, stderr);
    for await (const operation of readTrace(trace, folder)) operations.push(operation);
  });
  after(async () => rm(root, { recursive: true, force: true }));

  /** Runs the operations, and cuts the power at these places. @returns what is wrong, by place */
  async function cut(places: readonly number[], ignoreFlush: boolean): Promise<Map<number, readonly string[]>> {
    const disk = new LossyDisk(folder, ignoreFlush);
    const random = randomFrom(20_260_801);
    const told = { places: new Map<string, number>(), size: 0, root: '' };
    const wrong = new Map<number, readonly string[]>();
    const due = new Set(places);
    for (const [at, operation] of operations.entries()) {
      if (operation.kind === 'say') {
        const [, index, text = '', size, hash = ''] =
          /^(\d+) (\S+) (\d+) ([0-9a-f]{64});\n$/.exec(operation.text) ?? [];
        told.places.set(text, Number(index));
        [told.size, told.root] = [Number(size), hash];
      }
      disk.apply(operation);
      if (!due.has(at)) continue;
      const survivors = join(root, `after-${at}`);
      await disk.cutPower(survivors, random);
      const found = await lookAt(survivors, told).catch((error: unknown) => [String(error)]);
      if (found.length > 0) wrong.set(at, found);
      await rm(survivors, { recursive: true });
    }
    return wrong;
  }

  function someOf(indexes: readonly number[], count: number): readonly number[] {
    const random = randomFrom(7);
    return Array.from({ length: count }, () => indexes[Math.floor(random() * indexes.length)] ?? 0);
  }

  test('has flushed an entry before it answers', () => {
    const disk = new LossyDisk(folder);
    let [answers, flushes] = [0, 0];
    for (const operation of operations) {
      disk.apply(operation);
      if (operation.kind === 'flush') flushes++;
      if (operation.kind !== 'say') continue;
      answers++;
      assert.equal(disk.isUnflushed(join(folder, 'log.db-wal')), false, operation.text);
    }
    assert.equal(answers, 16 * EACH);
    assert.ok(flushes > EACH / 2, `${flushes} flushes`);
  });

  test('has carried over its write-ahead log while it was traced', () => {
    const files = new Map<number, string>();
    let carried = 0;
    for (const operation of operations.slice(
      0,
      operations.findLastIndex(({ kind }) => kind === 'say'),
    )) {
      if (operation.kind === 'open') files.set(operation.fd, operation.path);
      if (operation.kind === 'write' && files.get(operation.fd) === join(folder, 'log.db')) carried++;
    }
    assert.ok(carried > 500, `${carried} pages`);
  });

  test('anywhere has every acknowledged entry, at its place, in a tree that follows those that were shown', async () => {
    const every = operations.keys().toArray();
    const first = operations.findIndex(({ kind }) => kind === 'say');
    const places = [...someOf(every.slice(0, first), CUTS / 3), ...someOf(every.slice(first), CUTS)];
    assert.deepEqual([...(await cut(places, false))], []);
  });

  test('would be noticed to have lost entries, if flushes did nothing', async () => {
    const answers = operations.flatMap(({ kind }, at) => (kind === 'say' ? [at] : []));
    const wrong = await cut(someOf(answers, 10), true);
    assert.ok(wrong.size >= 5, `noticed ${wrong.size} of 10 times`);
  });
});
