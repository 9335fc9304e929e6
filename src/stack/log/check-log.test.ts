// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkLog, type LogFindingCode } from './check-log.ts';
import { entryOf, NAME, onScene, ORIGIN, type LogScene } from './log.fixture.ts';

const ENTRIES = 8192 + 300;

async function fill(scene: LogScene): Promise<void> {
  const log = await scene.open();
  for (let begin = 0; begin < ENTRIES; begin += 2048)
    await Promise.all(
      Array.from({ length: Math.min(2048, ENTRIES - begin) }, (_, at) =>
        log.append(entryOf(`entry ${begin + at}`, `term ${begin + at}`, 'all')),
      ),
    );
  const identity = Buffer.alloc(32, 9);
  await log.append({ leaf: Buffer.from('with an identity'), identity, terms: [] });
  await log.close();
}

async function codes(scene: LogScene): Promise<readonly LogFindingCode[]> {
  const { findings } = await checkLog({ database: scene.database, name: NAME, origin: ORIGIN });
  return [...new Set(findings.map(({ code }) => code))];
}

const OTHER = Buffer.alloc(32, 5);

/** What somebody changes, and what must be found. */
const TAMPERED: readonly (readonly [LogFindingCode, string, readonly (string | number | Uint8Array)[]])[] = [
  ['head-missing', `DELETE FROM ${NAME}_head`, []],
  ['checkpoint-wrong', `UPDATE ${NAME}_head SET checkpoint = ?`, ['nonsense']],
  ['checkpoint-wrong', `UPDATE ${NAME}_head SET checkpoint = replace(checkpoint, 'log.', 'dog.')`, []],
  ['root-wrong', `UPDATE ${NAME}_head SET root = ?`, [OTHER]],
  ['root-wrong', `UPDATE ${NAME}_entries SET leaf = ? WHERE place = 4000`, [Buffer.from('other')]],
  ['tile-wrong', `UPDATE ${NAME}_entries SET leaf = ? WHERE place = 4000`, [Buffer.from('other')]],
  ['key-missing', `UPDATE ${NAME}_entries SET leaf = ? WHERE place = 4000`, [Buffer.from('other')]],
  ['published-wrong', `UPDATE ${NAME}_head SET published_size = 5`, []],
  ['published-wrong', `UPDATE ${NAME}_head SET published_size = 0`, []],
  ['entry-missing', `DELETE FROM ${NAME}_entries WHERE place = 4000`, []],
  ['entry-missing', `DELETE FROM ${NAME}_entries WHERE place = ?`, [ENTRIES]],
  ['entry-unexpected', `UPDATE ${NAME}_head SET size = 4000, published_size = 4000`, []],
  ['tile-unexpected', `UPDATE ${NAME}_head SET size = 4000, published_size = 4000`, []],
  ['time-backwards', `UPDATE ${NAME}_entries SET time = 5 WHERE place = 4000`, []],
  [
    'entry-repeated',
    `UPDATE ${NAME}_entries SET identity = (SELECT identity FROM ${NAME}_entries WHERE place = 4000) WHERE place = 4001`,
    [],
  ],
  ['key-missing', `DELETE FROM ${NAME}_keys WHERE place = 4000`, []],
  ['key-missing', `DELETE FROM ${NAME}_keys WHERE place = ${ENTRIES} AND key = 9934410942729`, []],
  ['key-unexpected', `INSERT INTO ${NAME}_keys (key, place) VALUES (77, 4000)`, []],
  ['key-unexpected', `INSERT INTO ${NAME}_keys (key, place) VALUES (77, 400000)`, []],
  ['tile-missing', `DELETE FROM ${NAME}_tiles WHERE level = 0 AND number = 7`, []],
  ['tile-wrong', `UPDATE ${NAME}_tiles SET hashes = zeroblob(8192) WHERE level = 0 AND number = 7`, []],
  [
    'tile-unexpected',
    `INSERT INTO ${NAME}_tiles (level, number, hashes) SELECT 3, 9, hashes FROM ${NAME}_tiles LIMIT 1`,
    [],
  ],
  ['terms-malformed', `UPDATE ${NAME}_entries SET terms = '[1]' WHERE place = 4000`, []],
  ['search-wrong', `UPDATE ${NAME}_entries SET terms = '["other"]' WHERE place = 4000`, []],
  ['search-wrong', `DELETE FROM ${NAME}_terms WHERE bucket = 3`, []],
  ['search-wrong', `UPDATE ${NAME}_terms SET hits = zeroblob(length(hits)) WHERE bucket = 3`, []],
  ['search-wrong', `INSERT INTO ${NAME}_terms (bucket, segment, hits) VALUES (64, 0, zeroblob(8))`, []],
  ['search-wrong', `INSERT INTO ${NAME}_terms (bucket, segment, hits) VALUES (1, 1, zeroblob(8))`, []],
];

describe('the check of a log', () => {
  test(
    'finds nothing wrong in one that is sound, and derives its root',
    { timeout: 60_000 },
    onScene(async (scene) => {
      await fill(scene);
      const log = await scene.reopen();
      const read: number[] = [];
      const onProgress = (entries: number): void => void read.push(entries);
      const { size, rootHash, findings, found } = await checkLog({
        database: scene.database,
        name: NAME,
        origin: ORIGIN,
        onProgress,
      });
      assert.deepEqual(findings, []);
      assert.equal(found, 0);
      assert.equal(size, ENTRIES + 1);
      assert.deepEqual(Buffer.from(rootHash ?? []), Buffer.from(log.tree().rootHash));
      assert.equal(read.at(-1), size);
      assert.ok(read.length > 30);
    }),
  );

  test(
    'finds whatever is changed in it, and says what',
    { timeout: 120_000 },
    onScene(async (scene) => {
      await fill(scene);
      for (const [code, sql, values] of TAMPERED) {
        let found: readonly LogFindingCode[] = [];
        const undo = new Error('undo');
        await scene.database
          .write(async (tx) => {
            const { changes } = await tx.run(sql, ...values);
            assert.ok(changes > 0, `${sql} has changed nothing`);
            const { findings } = await checkLog({ database: tx, name: NAME, origin: ORIGIN });
            found = findings.map((finding) => finding.code);
            throw undo;
          })
          .catch((error: unknown) => assert.equal(error, undo));
        assert.ok(found.includes(code), `after ${sql} there was found: ${[...new Set(found)].join()}`);
      }
      assert.deepEqual(await codes(scene), []);
    }),
  );

  test(
    'finds the empty log sound, and that there is none',
    onScene(async (scene) => {
      await scene.open();
      assert.deepEqual(await codes(scene), []);
      await scene.tamper(`DELETE FROM ${NAME}_head`);
      assert.deepEqual(await codes(scene), ['head-missing']);
    }),
  );

  test(
    'does not mind that the log grows meanwhile',
    onScene(async (scene) => {
      const log = await scene.open();
      await Promise.all(Array.from({ length: 2000 }, (_, at) => log.append(entryOf(`entry ${at}`, 'all'))));
      let appended = 0;
      const growing: Promise<unknown>[] = [];
      const { size, findings } = await checkLog({
        database: scene.database,
        name: NAME,
        origin: ORIGIN,
        onProgress: () => {
          for (let count = 0; count < 100; count++) growing.push(log.append(entryOf(`later ${appended++}`, 'all')));
        },
      });
      assert.deepEqual(findings, []);
      assert.equal(size, 2000);
      assert.ok(appended > 500);
      await Promise.all(growing);
    }),
  );

  test(
    'shows a thousand findings at most, and counts them all',
    onScene(async (scene) => {
      const log = await scene.open();
      await Promise.all(Array.from({ length: 1500 }, (_, at) => log.append(entryOf(`entry ${at}`))));
      await scene.tamper(`DELETE FROM ${NAME}_keys`);
      const { findings, found } = await checkLog({ database: scene.database, name: NAME, origin: ORIGIN });
      assert.equal(findings.length, 1000);
      assert.equal(found, 1500);
    }),
  );
});
