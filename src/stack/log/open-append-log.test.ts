// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leafHash, verifyConsistency } from '../../trust/index.ts';
import type { AppendLog } from './append-log.ts';
import { headOf, requireProven } from './append-log.contract.ts';
import { entryOf, FaultyDatabase, LogScene, NAME, onScene, ORIGIN } from './log.fixture.ts';
import type { LogWarning } from './log-options.ts';
import { checkpointSigner } from './memory-log.fixture.ts';
import { openAppendLog } from './open-append-log.ts';

/** Appends an entry in each turn of the event loop. @returns the sizes of the trees that were signed */
async function signedWhileEntriesCome(scene: LogScene, count: number): Promise<readonly number[]> {
  const signed: number[] = [];
  const log = await scene.open({
    signCheckpoint: (size, root) => {
      if (size > 0) signed.push(size);
      return scene.sign(size, root);
    },
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  const appended: Promise<unknown>[] = [];
  const next = (): void => {
    // First, so that the next entry is there before the log looks.
    if (appended.length + 1 < count) setImmediate(next);
    appended.push(log.append(entryOf(`entry ${appended.length}`)));
    if (appended.length === count) resolve();
  };
  next();
  await promise;
  await Promise.all(appended);
  return signed;
}

describe('a batch', () => {
  test(
    'is gathered for as long as each turn of the event loop brings more',
    onScene(async (scene) => assert.deepEqual(await signedWhileEntriesCome(scene, 10), [10])),
  );

  test(
    'does not wait for the end of what never ends',
    onScene(async (scene) => {
      const [first = 0, ...others] = await signedWhileEntriesCome(scene, 60);
      assert.ok(first > 1 && first <= 17, `${first} entries in the first batch`);
      assert.equal(others.at(-1), 60);
    }),
  );
});

describe('a log that is opened again', () => {
  test(
    'goes on where it stood, whatever its size',
    onScene(async (scene) => {
      let log = await scene.open();
      const trees = [log.tree()];
      for (const count of [1, 1, 253, 1, 1, 255, 300]) {
        const { size } = log.tree();
        await Promise.all(Array.from({ length: count }, (_, at) => log.append(entryOf(`at ${size + at}`, `${at}`))));
        trees.push(log.tree());
        const { checkpoint } = log.tree();
        log = await scene.reopen();
        assert.equal(log.tree().checkpoint, checkpoint);
        for (const tree of trees) {
          const proof = await log.consistency(tree.size, log.tree().size);
          assert.ok(verifyConsistency(headOf(tree), headOf(log.tree()), proof));
        }
        const same = await log.append(entryOf(`at ${size}`, 'other terms'));
        assert.equal(same.existed, true);
        requireProven(same);
        assert.ok((await log.search({ terms: ['0'], operator: 'or', limit: 1000 })).includes(size));
      }
    }),
  );

  test(
    'does not go back in time, though the clock has',
    onScene(async (scene) => {
      const log = await scene.open({ now: () => new Date(9000) });
      await log.append(entryOf('one'));
      const warnings: LogWarning[] = [];
      const later = await scene.reopen({ now: () => new Date(1000), warn: (warning) => void warnings.push(warning) });
      assert.equal((await later.append(entryOf('two'))).time, 9000);
      assert.equal((await later.append(entryOf('three'))).time, 9000);
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['clock-backwards'],
      );
      assert.match(warnings[0]?.message ?? '', /1970-01-01T00:00:01.000Z.*1970-01-01T00:00:09.000Z/);
    }),
  );

  test(
    'must be there where it is said so',
    onScene(async (scene) => {
      await assert.rejects(scene.open({ mustExist: true }), { code: 'log-missing' });
      await scene.open();
      await scene.reopen({ mustExist: true });
    }),
  );

  test(
    'is not taken for the log of another origin',
    onScene(async (scene) => {
      await scene.open();
      await assert.rejects(scene.reopen({ origin: 'other.example' }), { code: 'checkpoint-foreign' });
    }),
  );

  test(
    'must be signed for the origin that it has',
    onScene(async (scene) => {
      const signCheckpoint = await checkpointSigner('other.example');
      await assert.rejects(scene.open({ signCheckpoint }), { code: 'checkpoint-foreign' });
      await scene.open();
    }),
  );

  const TAMPERED: readonly (readonly [string, string, readonly (string | number | Uint8Array)[]])[] = [
    ['a leaf of the last tile', `UPDATE ${NAME}_entries SET leaf = ? WHERE place = 598`, [Buffer.from('other')]],
    ['the last entry', `DELETE FROM ${NAME}_entries WHERE place = 599`, []],
    ['an entry of the last tile', `DELETE FROM ${NAME}_entries WHERE place = 520`, []],
    ['the head', `DELETE FROM ${NAME}_head`, []],
    ['a full tile', `DELETE FROM ${NAME}_tiles WHERE level = 0 AND number = 1`, []],
    ['the hashes of a full tile', `UPDATE ${NAME}_tiles SET hashes = zeroblob(8192) WHERE number = 1`, []],
    ['the root', `UPDATE ${NAME}_head SET root = ?`, [Buffer.alloc(32)]],
    ['the root that was shown', `UPDATE ${NAME}_head SET published_root = ?`, [Buffer.alloc(32)]],
    ['the size', `UPDATE ${NAME}_head SET size = 599, published_size = 599`, []],
    ['the checkpoint', `UPDATE ${NAME}_head SET checkpoint = 'nonsense'`, []],
    [
      'an entry beyond the tree',
      `INSERT INTO ${NAME}_entries (place, time, identity, terms, leaf) SELECT 600, time, identity, terms, leaf FROM ${NAME}_entries WHERE place = 1`,
      [],
    ],
    ['search terms of the last entries', `UPDATE ${NAME}_entries SET terms = '{' WHERE place = 598`, []],
  ];
  for (const [what, sql, values] of TAMPERED) {
    test(
      `is not opened where somebody changed ${what}`,
      onScene(async (scene) => {
        const log = await scene.open();
        await Promise.all(Array.from({ length: 600 }, (_, at) => log.append(entryOf(`entry ${at}`))));
        await log.close();
        await scene.tamper(sql, ...values);
        await assert.rejects(scene.reopen(), { code: 'log-inconsistent' });
      }),
    );
  }
});

describe('several logs in one database', () => {
  test(
    'know nothing of each other',
    onScene(async (scene) => {
      const one = await scene.open();
      const signCheckpoint = await checkpointSigner('second.example');
      const two = await openAppendLog(scene.options({ name: 'second', origin: 'second.example', signCheckpoint }));
      await one.append(entryOf('same', 'term'));
      const other = await two.append(entryOf('same', 'term'));
      assert.equal(other.existed, false);
      assert.equal(one.tree().size, 1);
      assert.match(two.tree().checkpoint, /^second\.example\n/);
      await two.close();
    }),
  );

  test(
    'have names that tables can have',
    onScene(async (scene) => {
      for (const name of ['', 'Upper', '1st', 'a-b', 'a;b', 'x'.repeat(33)])
        await assert.rejects(scene.open({ name }), { code: 'name-malformed' });
    }),
  );
});

describe('a log under load', () => {
  test(
    'refuses what it cannot hold, and goes on',
    onScene(async (scene) => {
      const log = await scene.open({ maxWaiting: 50 });
      const answers = await Promise.allSettled(Array.from({ length: 80 }, (_, at) => log.append(entryOf(`at ${at}`))));
      const refused = answers.filter((answer) => answer.status === 'rejected');
      assert.equal(refused.length, 30);
      for (const { reason } of refused) assert.equal(reason.code, 'log-busy');
      assert.equal(log.tree().size, 50);
      assert.equal((await log.append(entryOf('at 79'))).existed, false);
    }),
  );

  test(
    'bounds the bytes that wait as well',
    onScene(async (scene) => {
      const log = await scene.open();
      const extra = Buffer.alloc(2 ** 20);
      const answers = await Promise.allSettled(
        Array.from({ length: 80 }, (_, at) => log.append({ ...entryOf(`at ${at}`), extra })),
      );
      const refused = answers.filter((answer) => answer.status === 'rejected');
      assert.ok(refused.length >= 16 && refused.length < 20, `${refused.length} refused`);
      for (const { reason } of refused) assert.equal(reason.code, 'log-busy');
    }),
  );

  test(
    'commits what arrives together together',
    onScene(async (scene) => {
      let signed = 0;
      const log = await scene.open({ signCheckpoint: (size, root) => (signed++, scene.sign(size, root)) });
      await Promise.all(Array.from({ length: 1000 }, (_, at) => log.append(entryOf(`at ${at}`))));
      assert.ok(signed <= 6, `${signed} trees for 1,000 entries`);
    }),
  );

  test('says the same to the database for an entry, however large the log is', async () => {
    const scene = await LogScene.make();
    try {
      const database = new FaultyDatabase(scene.database);
      const log = await openAppendLog(scene.options({ database }));
      const cost = async (text: string): Promise<number> => {
        const before = database.operations;
        await log.append(entryOf(text, 'a', 'b'));
        return database.operations - before;
      };
      const first = await cost('first');
      await Promise.all(Array.from({ length: 4000 }, (_, at) => log.append(entryOf(`at ${at}`, `${at}`))));
      assert.equal(await cost('last'), first);
      assert.ok(first <= 7, `${first} operations`);
      await log.close();
    } finally {
      await scene.end();
    }
  });
});

test(
  'an entry whose identity begins as another does is another entry',
  onScene(async (scene) => {
    const log = await scene.open();
    const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 1)];
    other[31] = 2;
    const leaf = Buffer.from('leaf');
    assert.equal((await log.append({ leaf, identity: one, terms: [] })).index, 0);
    assert.equal((await log.append({ leaf, identity: other, terms: [] })).index, 1);
    const again = await log.append({ leaf, identity: other, terms: [] });
    assert.deepEqual([again.index, again.existed], [1, true]);
    assert.equal(await log.indexOf(leafHash(leaf)), 0);
  }),
);

test(
  'entries are found by their terms across segments, in memory and on the disk, and after a restart',
  { timeout: 120_000 },
  onScene(async (scene) => {
    let log = await scene.open();
    const count = 8192 * 2 + 100;
    // The first piece is short, so that later a batch begins in one segment and ends in the next.
    for (let begin = 0, piece = 3; begin < count; [begin, piece] = [begin + piece, 2048])
      await Promise.all(
        Array.from({ length: Math.min(piece, count - begin) }, (_, at) =>
          log.append(entryOf(`at ${begin + at}`, `only ${begin + at}`, `part ${(begin + at) % 5000}`, 'all')),
        ),
      );
    const search = async (...terms: readonly string[]): Promise<readonly number[]> =>
      log.search({ terms, operator: 'and', limit: 1000 });
    for (const round of ['before', 'after']) {
      for (const place of [0, 8191, 8192, 16_383, 16_384, count - 1]) {
        const { leaf } = (await log.entry(place)) ?? {};
        const number = Buffer.from(leaf ?? [])
          .toString()
          .slice(3);
        assert.deepEqual(await search(`only ${number}`), [place], `${round} the restart`);
        assert.deepEqual(await search(`only ${number}`, 'all'), [place]);
        const parts = await search(`part ${Number(number) % 5000}`);
        assert.ok(parts.includes(place) && parts.length >= 3);
        assert.deepEqual(await search('all', `part ${Number(number) % 5000}`), parts);
      }
      const all = await log.search({ terms: ['all'], operator: 'or', limit: 1000, after: 8000 });
      assert.deepEqual(
        all,
        Array.from({ length: 1000 }, (_, at) => 8001 + at),
      );
      log = await scene.reopen();
    }
    const origin = ORIGIN;
    assert.match(log.tree().checkpoint, new RegExp(`^${origin}\n${count}\n`));
  }),
);

describe('readers who ask for much', () => {
  const COUNT = 1000;

  /** @returns how often the event loop had its turn meanwhile */
  async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
    let turns = 0;
    let busy = true;
    const count = (): void => {
      turns += 1;
      if (busy) setImmediate(count);
    };
    setImmediate(count);
    await work();
    busy = false;
    return turns;
  }

  async function filled(scene: LogScene): Promise<AppendLog> {
    const log = await scene.open();
    await Promise.all(Array.from({ length: COUNT }, (_, at) => log.append(entryOf(`${at}`, 'all'))));
    return log;
  }

  test(
    'let others have their turns',
    onScene(async (scene) => {
      const log = await filled(scene);
      const search = { terms: ['all'], operator: 'or', limit: COUNT } as const;
      const places = Array.from({ length: COUNT }, (_, at) => at);
      const [one, ...others] = await Promise.all([1, 2, 3].map(() => turnsDuring(() => log.search(search))));
      // together they take as many reads a turn as one alone
      for (const turns of [one, ...others]) assert.ok((turns ?? 0) >= (2 * COUNT) / 64, `${turns} turns`);
      const reading = await turnsDuring(async () => {
        const read = await Promise.all(places.map(async (place) => (await log.entries(place, 1))[0]?.index));
        assert.deepEqual(read, places);
      });
      assert.ok(reading >= COUNT / 64 - 1, `${reading} turns`);
    }),
  );

  test(
    'are so many and no more, and who is refused can come again',
    onScene(async (scene) => {
      const log = await filled(scene);
      const search = (): Promise<readonly number[]> => log.search({ terms: ['all'], operator: 'or', limit: COUNT });
      const asked = await Promise.allSettled(Array.from({ length: 70 }, search));
      const refused = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as { code: string }] : []));
      assert.deepEqual(
        refused.map(({ code }) => code),
        Array.from({ length: 6 }, () => 'log-busy'),
      );
      for (const one of asked) if (one.status === 'fulfilled') assert.equal(one.value.length, COUNT);
      assert.equal((await search()).length, COUNT);
    }),
  );
});
