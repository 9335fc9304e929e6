// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { StoreError } from '../../store/index.ts';
import {
  decodeCheckpoint,
  decodeNote,
  EMPTY_ROOT,
  encodeNoteSignature,
  verifyConsistency,
  type TreeHead,
} from '../../trust/index.ts';
import { headOf, requireProven } from './append-log.contract.ts';
import { entryOf, FaultyDatabase, onScene, type LogScene } from './log.fixture.ts';
import type { Cosign, LogWarning, Witnesses } from './log-options.ts';
import { openAppendLog } from './open-append-log.ts';

/** Witnesses that demand a proof from the tree that they saw last. */
class Scenery {
  readonly checkpoints: string[] = [];
  /** names of those that answer */
  up: readonly string[] = ['one.example', 'two.example'];
  #seen: TreeHead = { size: 0, root: EMPTY_ROOT };

  readonly cosign: Cosign = async (checkpoint, oldSize, proof, proofFrom) => {
    this.checkpoints.push(checkpoint);
    if (this.up.length === 0) throw new Error('no witness answers');
    const next = decodeCheckpoint(decodeNote(checkpoint, 'it').text, 'it');
    if (oldSize === this.#seen.size) assert.ok(verifyConsistency(this.#seen, next, proof));
    assert.ok(verifyConsistency(this.#seen, next, await proofFrom(this.#seen.size)));
    this.#seen = next;
    return this.up.map((name) =>
      encodeNoteSignature({ name, keyId: Buffer.alloc(4, 1), signature: Buffer.alloc(72, 2) }),
    );
  };

  witnesses(required: boolean, quorum = 2): Witnesses {
    return { cosign: this.cosign, quorum, required };
  }
}

function cosigners(checkpoint: string): readonly string[] {
  return decodeNote(checkpoint, 'it').signatures.map(({ name }) => name);
}

describe('a log with witnesses', () => {
  test(
    'shows only trees that they have signed, each proven to follow the one before',
    onScene(async (scene) => {
      const witnesses = new Scenery();
      const log = await scene.open({ witnesses: witnesses.witnesses(true) });
      for (let at = 0; at < 10; at++) {
        const answer = await log.append(entryOf(`at ${at}`));
        requireProven(answer);
        assert.deepEqual(cosigners(answer.tree.checkpoint), ['log.example', 'one.example', 'two.example']);
      }
      const { checkpoint } = log.tree();
      const again = await scene.reopen({ witnesses: witnesses.witnesses(true) });
      assert.equal(again.tree().checkpoint, checkpoint);
      await again.append(entryOf('after'));
    }),
  );

  test(
    'withholds a tree that too few have signed, and a retry finds the entry once enough have',
    onScene(async (scene) => {
      const witnesses = new Scenery();
      const log = await scene.open({ witnesses: witnesses.witnesses(true) });
      await log.append(entryOf('seen', 'term'));
      const tree = log.tree();
      for (const up of [[], ['one.example'], ['one.example', 'one.example']]) {
        witnesses.up = up;
        await assert.rejects(log.append(entryOf('unseen', 'term')), (error: { code: string; message: string }) => {
          assert.equal(error.code, 'witness-missing');
          assert.match(error.message, new RegExp(`^${new Set(up).size} witnesses .* expected 2`));
          return true;
        });
        assert.equal(log.tree(), tree);
        assert.equal(await log.entry(1), undefined);
        assert.deepEqual(
          await log.entries(0, 10),
          [await log.entry(0)].map((entry) => strip(entry)),
        );
        assert.deepEqual(await log.search({ terms: ['term'], operator: 'or', limit: 5 }), [0]);
        assert.equal(await log.hashTile(0, 0, 2), undefined);
        assert.equal(await log.entryTile(0, 2), undefined);
        await assert.rejects(log.consistency(1, 2), { code: 'tree-range' });
      }
      assert.equal((await log.append(entryOf('seen', 'term'))).existed, true);
      witnesses.up = ['two.example', 'one.example'];
      const answer = await log.append(entryOf('unseen', 'term'));
      assert.deepEqual([answer.index, answer.existed], [1, true]);
      requireProven(answer);
    }),
  );

  test(
    'remembers over a restart what was not shown, and shows it once witnesses answer',
    onScene(async (scene) => {
      const witnesses = new Scenery();
      const log = await scene.open({ witnesses: witnesses.witnesses(true) });
      await log.append(entryOf('seen'));
      witnesses.up = [];
      await assert.rejects(log.append(entryOf('unseen')), { code: 'witness-missing' });
      const warnings: LogWarning[] = [];
      const options = {
        witnesses: witnesses.witnesses(true),
        warn: (warning: LogWarning) => void warnings.push(warning),
      };
      const again = await scene.reopen(options);
      assert.equal(again.tree().size, 1);
      assert.equal((await again.append(entryOf('seen'))).existed, true);
      await again.close();
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['publication-failed'],
      );
      witnesses.up = ['one.example', 'two.example'];
      const third = await scene.reopen(options);
      const answer = await third.append(entryOf('unseen'));
      assert.deepEqual([answer.index, answer.existed], [1, true]);
      requireProven(answer);
    }),
  );

  test(
    'shows what too few have signed with a warning, where it is told to',
    onScene(async (scene) => {
      const witnesses = new Scenery();
      const warnings: LogWarning[] = [];
      const log = await scene.open({
        witnesses: witnesses.witnesses(false),
        warn: (warning) => void warnings.push(warning),
      });
      witnesses.up = ['two.example'];
      assert.deepEqual(cosigners((await log.append(entryOf('a'))).tree.checkpoint), ['log.example', 'two.example']);
      witnesses.up = [];
      assert.deepEqual(cosigners((await log.append(entryOf('b'))).tree.checkpoint), ['log.example']);
      assert.deepEqual(
        warnings.map(({ code }) => code),
        ['witness-missing', 'witness-missing'],
      );
      assert.match(warnings[1]?.message ?? '', /0 witnesses have signed the tree of 2 entries, expected 2: no witness/);
    }),
  );

  test(
    'does not take for a signature what is none',
    onScene(async (scene) => {
      const cosign: Cosign = async () => ['not a signature', '— bad'];
      const log = await scene.open({ witnesses: { cosign, quorum: 1, required: true } });
      await assert.rejects(log.append(entryOf('a')), { code: 'witness-missing' });
    }),
  );

  test(
    'takes entries while witnesses think, and asks them about the newest tree only',
    onScene(async (scene) => {
      const witnesses = new Scenery();
      const gate = Promise.withResolvers<void>();
      const cosign: Cosign = async (...asked) => {
        const lines = await witnesses.cosign(...asked);
        await gate.promise;
        return lines;
      };
      const log = await scene.open({ witnesses: { cosign, quorum: 2, required: true } });
      const first = log.append(entryOf('first'));
      while (witnesses.checkpoints.length === 0) await new Promise((resolve) => setImmediate(resolve));
      const others = Array.from({ length: 20 }, async (_, at) => {
        for (let wait = 0; wait < at; wait++) await new Promise((resolve) => setImmediate(resolve));
        return log.append(entryOf(`at ${at}`));
      });
      for (let wait = 0; wait < 200; wait++) await new Promise((resolve) => setImmediate(resolve));
      gate.resolve();
      assert.equal((await first).tree.size, 1);
      for (const answer of await Promise.all(others)) requireProven(answer);
      assert.equal(log.tree().size, 21);
      assert.ok(witnesses.checkpoints.length <= 4, `${witnesses.checkpoints.length} trees were shown to witnesses`);
    }),
  );
});

describe('a log whose checkpoints are copied', () => {
  test(
    'shows no tree before its copy is made',
    onScene(async (scene) => {
      const copies: string[] = [];
      const log = await scene.open({
        onPublished: async (checkpoint) => {
          if (copies.length > 0) assert.notEqual(log.tree().checkpoint, checkpoint);
          await new Promise((resolve) => setImmediate(resolve));
          copies.push(checkpoint);
        },
      });
      assert.deepEqual(copies, [log.tree().checkpoint]);
      for (let at = 0; at < 5; at++) assert.equal((await log.append(entryOf(`${at}`))).tree.checkpoint, copies.at(-1));
      const again = await scene.reopen({ onPublished: async (checkpoint) => void copies.push(checkpoint) });
      assert.equal(copies.at(-1), again.tree().checkpoint);
      assert.equal(copies.length, 7);
    }),
  );

  test(
    'copies it with the cosignatures',
    onScene(async (scene) => {
      const copies: string[] = [];
      const log = await scene.open({
        witnesses: new Scenery().witnesses(true),
        onPublished: async (checkpoint) => void copies.push(checkpoint),
      });
      await log.append(entryOf('a'));
      assert.deepEqual(cosigners(copies.at(-1) ?? ''), ['log.example', 'one.example', 'two.example']);
    }),
  );

  test(
    'withholds a tree whose copy failed, and a retry finds the entry once it is made',
    onScene(async (scene) => {
      let broken = false;
      const copies: string[] = [];
      const onPublished = async (checkpoint: string): Promise<void> => {
        if (broken) throw new Error('the disk of the copies is gone');
        copies.push(checkpoint);
      };
      const log = await scene.open({ onPublished });
      await log.append(entryOf('a'));
      broken = true;
      const tree = log.tree();
      await assert.rejects(log.append(entryOf('b')), { code: 'publication-failed', message: /copies is gone/ });
      assert.equal(log.tree(), tree);
      const warnings: LogWarning[] = [];
      const again = await scene.reopen({ onPublished, warn: (warning) => void warnings.push(warning) });
      assert.deepEqual(headOf(again.tree()).size, 1);
      await again.close();
      assert.deepEqual([...new Set(warnings.map(({ code }) => code))], ['publication-failed']);
      broken = false;
      const third = await scene.reopen({ onPublished });
      const answer = await third.append(entryOf('b'));
      assert.deepEqual([answer.index, answer.existed], [1, true]);
      assert.equal(copies.at(-1), answer.tree.checkpoint);
    }),
  );

  test(
    'publishes again what it does not know to be published',
    onScene(async (scene) => {
      const database = new FaultyDatabase(scene.database);
      const log = await openAppendLog(scene.options({ database, onPublished: async () => {} }));
      let answers = 0;
      // The first answer is that of the commit, the second that of the publication.
      database.fault = ({ kind }) =>
        kind === 'answer' && ++answers === 2 ? new StoreError('full', 'no space is left') : undefined;
      await assert.rejects(log.append(entryOf('a')), { code: 'log-full' });
      assert.equal(log.tree().size, 0);
      const answer = await log.append(entryOf('a'));
      assert.deepEqual([answer.index, answer.existed], [0, true]);
      requireProven(answer);
      await log.close();
    }),
  );

  test(
    'shows at once what was withheld when nobody need be asked any more',
    onScene(async (scene) => {
      const log = await scene.open({ witnesses: { cosign: async () => [], quorum: 1, required: true } });
      await assert.rejects(log.append(entryOf('a')), { code: 'witness-missing' });
      const again = await scene.reopen();
      assert.equal(again.tree().size, 1);
      assert.equal((await again.append(entryOf('a'))).existed, true);
    }),
  );
});

function strip(entry: Awaited<ReturnType<Awaited<ReturnType<LogScene['open']>>['entry']>>): unknown {
  assert.ok(entry !== undefined);
  const { tree: _tree, proof: _proof, ...kept } = entry;
  return kept;
}
