// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../store/index.ts';
import { verifyConsistency } from '../../trust/index.ts';
import type { AppendLog, ProvenEntry, PublishedTree } from './append-log.ts';
import { headOf, requireProven } from './append-log.contract.ts';
import { checkLog } from './check-log.ts';
import { entryOf, FaultyDatabase, LogScene, NAME, onScene, ORIGIN, type Operation } from './log.fixture.ts';
import { checkpointSigner } from './memory-log.fixture.ts';
import { openAppendLog } from './open-append-log.ts';

/** What clients were told before something went wrong. */
interface Told {
  readonly answers: Map<string, ProvenEntry>;
  readonly trees: PublishedTree[];
  refused: number;
}

const DEAD = new Error('the process is dead');

/** A hundred entries from eight clients, some of them twice; every answer is noted, every refusal is counted. */
async function load(log: AppendLog, told: Told, round: string): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let at = next++; at < 30; at = next++) {
        const text = `${round} ${Math.floor(at / 1.2)}`;
        try {
          const answer = await log.append(entryOf(text, text));
          requireProven(answer);
          const before = told.answers.get(text);
          assert.equal(before?.index ?? answer.index, answer.index, `${text} has two places`);
          told.answers.set(text, answer);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          told.refused++;
        }
        told.trees.push(log.tree());
      }
    }),
  );
}

/** That a log has all that was ever told, and nothing else than before. */
async function requireKept(scene: LogScene, log: AppendLog, told: Told): Promise<void> {
  const places = new Set<number>();
  for (const [text, before] of told.answers) {
    const now = await log.append(entryOf(text, text));
    assert.equal(now.existed, true, `${text} was acknowledged, and is not there`);
    assert.equal(now.index, before.index);
    assert.equal(now.time, before.time);
    requireProven(now);
    assert.ok(!places.has(now.index), `place ${now.index} was used twice`);
    places.add(now.index);
    assert.deepEqual(await log.search({ terms: [text], operator: 'and', limit: 2 }), [now.index]);
  }
  const newest = log.tree();
  for (const tree of told.trees) {
    assert.ok(tree.size <= newest.size, `a tree of ${tree.size} was shown, there are ${newest.size}`);
    const proof = await log.consistency(tree.size, newest.size);
    assert.ok(verifyConsistency(headOf(tree), headOf(newest), proof), `the tree of ${tree.size} was another`);
  }
  const { findings } = await checkLog({ database: scene.database, name: NAME, origin: ORIGIN });
  assert.deepEqual(findings, []);
}

/** Runs a load on a log whose database fails as told, and looks at what is left. @returns whether the fault was reached */
async function runWithFault(fault: (operation: Operation) => Error | undefined, witnessed: boolean): Promise<Told> {
  const scene = await LogScene.make();
  const told: Told = { answers: new Map(), trees: [], refused: 0 };
  const published: Told['trees'] = [];
  const changes = witnessed ? { onPublished: async () => void published.push() } : {};
  try {
    await load(await scene.open(changes), told, 'before');
    const database = new FaultyDatabase(scene.database, fault);
    const log = await openAppendLog(scene.options({ database, ...changes })).catch((error: unknown) => {
      assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      told.refused++;
    });
    if (log !== undefined) {
      await load(log, told, 'faulty');
      database.fault = () => undefined;
      await log.close();
    }
    await requireKept(scene, await scene.reopen(changes), told);
  } finally {
    await scene.end();
  }
  return told;
}

for (const witnessed of [false, true]) {
  const name = witnessed ? 'a log whose checkpoints are copied' : 'a log';
  describe(`${name} that dies`, () => {
    for (const kind of ['read', 'begin', 'statement', 'commit', 'answer'] as const) {
      test(`at any ${kind} keeps every acknowledged entry at its place, and every tree`, async () => {
        // The first times each happens, and later ones in leaps: there are hundreds of statements.
        for (let nth = 1, reached = true; reached; nth += nth < 6 ? 1 : nth) {
          let [seen, dead] = [0, false];
          const told = await runWithFault((operation) => {
            dead ||= operation.kind === kind && ++seen === nth;
            return dead ? DEAD : undefined;
          }, witnessed);
          reached = dead;
          assert.equal(told.refused > 0, dead);
        }
      });
    }
  });

  describe(`${name} whose database fails once`, () => {
    for (const kind of ['read', 'begin', 'statement', 'commit', 'answer'] as const) {
      test(`at a ${kind} goes on, and loses nothing`, async () => {
        for (const nth of [1, 2, 5, 9]) {
          let seen = 0;
          const told = await runWithFault(
            (operation) =>
              operation.kind === kind && ++seen === nth
                ? new StoreError('io-failed', 'the disk failed once')
                : undefined,
            witnessed,
          );
          const faulty = [...told.answers.keys()].filter((text) => text.startsWith('faulty'));
          if (kind !== 'read' || nth > 2) assert.ok(faulty.length > 0, 'the log has not gone on');
        }
      });
    }
  });
}

for (const answered of [true, false]) {
  test(
    `a commit that ${answered ? 'was done' : 'was not done'} though nobody knows is looked for as soon as the database can be asked`,
    onScene(async (scene) => {
      const database = new FaultyDatabase(scene.database);
      const log = await openAppendLog(scene.options({ database }));
      await log.append(entryOf('before'));
      let gone = false;
      database.fault = ({ kind }) => {
        gone ||= kind === (answered ? 'answer' : 'commit');
        return gone ? new StoreError('io-failed', 'the disk is gone') : undefined;
      };
      await assert.rejects(log.append(entryOf('unsure', 'term')), { code: 'io-failed' });
      await assert.rejects(log.append(entryOf('another')), { code: 'io-failed' });
      database.fault = () => undefined;
      const another = await log.append(entryOf('another'));
      assert.equal(another.index, answered ? 2 : 1);
      requireProven(another);
      const retried = await log.append(entryOf('unsure', 'term'));
      assert.deepEqual([retried.index, retried.existed], answered ? [1, true] : [2, false]);
      requireProven(retried);
      assert.deepEqual(await log.search({ terms: ['term'], operator: 'or', limit: 5 }), [retried.index]);
      await log.close();
      assert.deepEqual((await checkLog({ database: scene.database, name: NAME, origin: ORIGIN })).findings, []);
    }),
  );
}

test(
  'a disk that is full refuses what does not fit, says so, and the log goes on once there is space',
  onScene(async (scene) => {
    const database = new FaultyDatabase(scene.database);
    let time = 1000;
    const log = await openAppendLog(scene.options({ database, now: () => new Date(time) }));
    await log.append(entryOf('before'));
    assert.equal(log.trouble(), undefined);
    database.fault = ({ kind }) => (kind === 'commit' ? new StoreError('full', 'no space is left') : undefined);
    const tree = log.tree();
    const refused = await Promise.allSettled(Array.from({ length: 5 }, (_, at) => log.append(entryOf(`full ${at}`))));
    for (const answer of refused)
      assert.ok(answer.status === 'rejected' && answer.reason.code === 'log-full', JSON.stringify(answer));
    assert.equal(log.tree(), tree);
    assert.equal((await log.append(entryOf('before'))).existed, true);
    assert.match(log.trouble() ?? '', /no space/);
    time += 60_000;
    assert.equal(log.trouble(), undefined, 'nobody has tried for a minute');
    await assert.rejects(log.append(entryOf('full 6')), { code: 'log-full' });
    assert.match(log.trouble() ?? '', /no space/);
    database.fault = () => undefined;
    const after = await log.append(entryOf('full 3'));
    assert.equal(log.trouble(), undefined);
    assert.equal(after.existed, false);
    assert.equal(after.index, 1);
    requireProven(after);
    await log.close();
  }),
);

test(
  'a database of a size that it may not exceed is full, and the log goes on once it may',
  onScene(async (scene) => {
    const log = await scene.open();
    await log.append(entryOf('before'));
    const { page_count: pages = 0 } = (await scene.database.get<{ page_count: number }>('PRAGMA page_count')) ?? {};
    await scene.database.write((tx) => tx.all(`PRAGMA max_page_count = ${pages + 20}`));
    const refused: string[] = [];
    for (let at = 0; at < 200 && refused.length < 3; at++)
      await log
        .append(entryOf(`${at} ${'x'.repeat(20_000)}`))
        .catch((error: { code: string }) => void refused.push(error.code));
    assert.deepEqual(refused, ['log-full', 'log-full', 'log-full']);
    const kept = log.tree().size;
    await scene.database.write((tx) => tx.all('PRAGMA max_page_count = 1000000'));
    const next = await log.append(entryOf('after'));
    assert.equal(next.index, kept);
    requireProven(next);
    assert.deepEqual((await checkLog({ database: scene.database, name: NAME, origin: ORIGIN })).findings, []);
  }),
);

test(
  'a log that another process has added to stops, and signs nothing more',
  onScene(async (scene) => {
    let time = 1000;
    const first = await scene.open({ now: () => new Date(time) });
    await first.append(entryOf('one'));
    const second = await openAppendLog(scene.options());
    await second.append(entryOf('two'));
    const tree = first.tree();
    await assert.rejects(first.append(entryOf('three')), { code: 'log-superseded' });
    await assert.rejects(first.append(entryOf('one')), { code: 'log-superseded' });
    assert.equal(first.tree(), tree);
    time += 3_600_000;
    assert.match(first.trouble() ?? '', /another process/, 'it does not pass');
    assert.equal(second.trouble(), undefined);
    assert.equal((await second.append(entryOf('three'))).index, 2);
    assert.deepEqual((await checkLog({ database: scene.database, name: NAME, origin: ORIGIN })).findings, []);
    await second.close();
  }),
);

test(
  'a signature that cannot be made refuses its batch alone',
  onScene(async (scene) => {
    let broken = false;
    const log = await scene.open({
      signCheckpoint: async (size, root) => {
        if (broken) throw new Error('the key is out of reach');
        return scene.sign(size, root);
      },
    });
    broken = true;
    await assert.rejects(log.append(entryOf('one')), /the key is out of reach/);
    broken = false;
    assert.equal((await log.append(entryOf('one'))).existed, false);
  }),
);

test(
  'a checkpoint of another tree or log is not taken for one of this',
  onScene(async (scene) => {
    const other = await checkpointSigner('other.example');
    let sign = scene.sign;
    const log = await scene.open({ signCheckpoint: (size, root) => sign(size, root) });
    sign = (size, root) => scene.sign(size + 1, root);
    await assert.rejects(log.append(entryOf('one')), { code: 'log-inconsistent' });
    sign = other;
    await assert.rejects(log.append(entryOf('one')), { code: 'checkpoint-foreign' });
    sign = scene.sign;
    assert.equal((await log.append(entryOf('one'))).existed, false);
  }),
);
