// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  encodeCheckpoint,
  generatePrivateKey,
  keySigner,
  noteKey,
  noteSigner,
  signNote,
  type NoteKey,
} from '../../trust/index.ts';
import { entryOf, LogScene, NAME, ORIGIN } from './log.fixture.ts';
import type { SignCheckpoint } from './memory-log.fixture.ts';
import { requireContinuation } from './require-continuation.ts';

interface Restored {
  readonly scene: LogScene;
  readonly keys: readonly NoteKey[];
  readonly sign: SignCheckpoint;
  readonly checkpoints: readonly string[];
}

/** A log with as many entries, and the checkpoint of each of its trees. */
async function withLog(entries: number, body: (restored: Restored) => Promise<void>, name = 'entry'): Promise<void> {
  const scene = await LogScene.make();
  try {
    const key = await generatePrivateKey('ed25519');
    const signer = noteSigner(ORIGIN, keySigner(key));
    const sign: SignCheckpoint = (size, root) =>
      signNote(encodeCheckpoint({ origin: ORIGIN, size, root, extensions: [] }), [signer]);
    const log = await scene.open({ signCheckpoint: sign });
    const checkpoints = [log.tree().checkpoint];
    for (let at = 0; at < entries; at++) checkpoints.push((await log.append(entryOf(`${name} ${at}`))).tree.checkpoint);
    await body({ scene, keys: [noteKey(ORIGIN, key.publicKey)], sign, checkpoints });
  } finally {
    await scene.end();
  }
}

describe('a log that was restored', () => {
  test('goes on from every checkpoint that it ever showed', async () => {
    await withLog(300, async ({ scene, keys, checkpoints }) => {
      const log = { database: scene.database, name: NAME, origin: ORIGIN, keys };
      for (const at of [0, 1, 2, 3, 255, 256, 257, 299, 300]) await requireContinuation(log, checkpoints[at] ?? '');
    });
  });

  test('is refused where entries that were shown are missing', async () => {
    await withLog(5, async ({ scene, keys, sign }) => {
      const seen = await sign(6, Buffer.alloc(32, 1));
      const log = { database: scene.database, name: NAME, origin: ORIGIN, keys };
      await assert.rejects(requireContinuation(log, seen), {
        code: 'tree-smaller',
        message: /5 entries here.* with 6/,
      });
    });
  });

  test('is refused where it has other entries than were shown', async () => {
    await withLog(5, async ({ scene, keys, sign }) => {
      const log = { database: scene.database, name: NAME, origin: ORIGIN, keys };
      for (const size of [0, 1, 4, 5])
        await assert.rejects(requireContinuation(log, await sign(size, Buffer.alloc(32, 1))), { code: 'tree-forked' });
    });
  });

  test('is refused where it contradicts itself', async () => {
    await withLog(5, async ({ scene, keys, checkpoints }) => {
      await scene.tamper(`UPDATE ${NAME}_entries SET leaf = ? WHERE place = 4`, Buffer.from('other'));
      const log = { database: scene.database, name: NAME, origin: ORIGIN, keys };
      await assert.rejects(requireContinuation(log, checkpoints[5] ?? ''), { code: 'log-inconsistent' });
    });
  });

  test('is refused where there is none', async () => {
    await withLog(1, async ({ scene, keys, checkpoints }) => {
      const log = { database: scene.database, name: 'none', origin: ORIGIN, keys };
      await assert.rejects(requireContinuation(log, checkpoints[1] ?? ''), { code: 'log-missing' });
    });
  });

  test('is not compared with what is no checkpoint of it', async () => {
    await withLog(3, async ({ scene, keys, checkpoints }) => {
      const log = { database: scene.database, name: NAME, origin: ORIGIN, keys };
      const [, , , newest = ''] = checkpoints;
      const stranger = noteSigner(ORIGIN, keySigner(await generatePrivateKey('ed25519')));
      const root = Buffer.alloc(32);
      const foreign = [
        '',
        'nonsense',
        newest.slice(0, -10),
        newest.replace('\n3\n', '\n2\n'),
        await signNote(encodeCheckpoint({ origin: ORIGIN, size: 1, root, extensions: [] }), [stranger]),
        await signNote(encodeCheckpoint({ origin: 'other.example', size: 1, root, extensions: [] }), [stranger]),
      ];
      for (const checkpoint of foreign)
        await assert.rejects(requireContinuation(log, checkpoint), { code: 'checkpoint-foreign' });
      await assert.rejects(requireContinuation({ ...log, keys: [] }, newest), { code: 'checkpoint-foreign' });
    });
  });
});
