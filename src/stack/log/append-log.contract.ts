// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import {
  decodeCheckpoint,
  decodeNote,
  EMPTY_ROOT,
  leafHash,
  RightEdge,
  tilesToWrite,
  verifyConsistency,
  verifyInclusion,
  type TreeHead,
} from '../../trust/index.ts';
import type { AppendLog, NewEntry, ProvenEntry, PublishedTree } from './append-log.ts';

/** A log that is empty, and what has to be done when the test is over. */
export interface AppendLogSubject {
  readonly log: AppendLog;
  /** The time that it is, in milliseconds since 1970. */
  setTime(time: number): void;
  end(): Promise<void>;
}

/** What every log must show. */
export function appendLogContract(name: string, make: () => Promise<AppendLogSubject>): void {
  const on = (body: (log: AppendLog, subject: AppendLogSubject) => Promise<void>) => async (): Promise<void> => {
    const subject = await make();
    try {
      await body(subject.log, subject);
    } finally {
      await subject.end();
    }
  };

  describe(`${name}, as an append-only log`, () => {
    test(
      'begins with the empty tree',
      on(async (log) => {
        requireSigned(log.tree());
        assert.equal(log.tree().size, 0);
        assert.deepEqual(Buffer.from(log.tree().rootHash), Buffer.from(EMPTY_ROOT));
        assert.equal(await log.entry(0), undefined);
        assert.deepEqual(await log.entries(0, 10), []);
        assert.equal(await log.hashTile(0, 0, 1), undefined);
        assert.equal(await log.entryTile(0, 1), undefined);
      }),
    );

    test(
      'answers each entry with a proof in a signed tree',
      on(async (log) => {
        const answers = await appendMany(log, 300);
        assert.deepEqual(
          answers.map(({ index }) => index).toSorted((one, other) => one - other),
          answers.map((_, at) => at),
        );
        for (const [at, answer] of answers.entries()) {
          assert.equal(answer.existed, false);
          assert.equal(Buffer.from(answer.leaf).toString(), `entry ${at}`);
          requireProven(answer);
        }
        const [last] = await appendMany(log, 1, 'one more');
        assert.equal(last?.index, 300);
      }),
    );

    test(
      'keeps the same entry once, whoever brings it and how often',
      on(async (log) => {
        const entry = entryOf('twice');
        const burst = await Promise.all([entry, entryOf('another'), entry, entry].map((one) => log.append(one)));
        const later = await log.append({ ...entry, leaf: Buffer.from('another form of it'), extra: Buffer.of(1) });
        const [first] = burst;
        assert.ok(first !== undefined);
        for (const answer of [...burst.filter((_, at) => at > 1), later]) {
          assert.equal(answer.existed, true);
          assert.equal(answer.index, first.index);
          assert.equal(answer.time, first.time);
          assert.deepEqual(Buffer.from(answer.leaf), Buffer.from('twice'));
          assert.equal(answer.extra, undefined);
          requireProven(answer);
        }
        assert.equal(log.tree().size, 2);
      }),
    );

    test(
      'keeps what its sender has sent, whatever is done to the buffers meanwhile',
      on(async (log) => {
        const entry = { ...entryOf('as sent'), extra: Buffer.from('beside') };
        const sent = log.append(entry);
        (entry.leaf as Buffer).fill(0);
        entry.extra.fill(0);
        (entry.identity as Buffer).fill(0);
        const answer = await sent;
        assert.equal(Buffer.from(answer.leaf).toString(), 'as sent');
        assert.equal(Buffer.from(answer.extra ?? []).toString(), 'beside');
        requireProven(answer);
        assert.equal((await log.append(entryOf('as sent'))).existed, true);
        for (const node of answer.proof) node.fill(0);
        requireProven(await required(log, 0));
      }),
    );

    test(
      'gives every entry again, with a proof in the newest tree',
      on(async (log) => {
        await appendMany(log, 600);
        for (const index of [0, 1, 255, 256, 257, 511, 512, 598, 599]) {
          const entry = await required(log, index);
          assert.equal(entry.index, index);
          assert.equal(entry.tree.size, 600);
          requireProven(entry);
          assert.equal(await log.indexOf(leafHash(entry.leaf)), index);
        }
        assert.equal(await log.entry(600), undefined);
        assert.equal(await log.entry(-1), undefined);
        assert.equal(await log.entry(0.5), undefined);
        assert.equal(await log.indexOf(leafHash(Buffer.from('nobody'))), undefined);
        assert.equal(await log.indexOf(Buffer.alloc(5)), undefined);
        const some = await log.entries(595, 100);
        assert.deepEqual(
          some.map(({ index }) => index),
          [595, 596, 597, 598, 599],
        );
        assert.deepEqual(await log.entries(600, 1), []);
      }),
    );

    test(
      'finds an entry by its leaf hash where its identity is another, and never by an identity',
      on(async (log) => {
        const identity = hash('sha256', 'chosen', 'buffer');
        await log.append({ leaf: Buffer.from('body'), identity, terms: [] });
        assert.equal(await log.indexOf(leafHash(Buffer.from('body'))), 0);
        assert.equal(await log.indexOf(identity), undefined);
      }),
    );

    test(
      'proves that each tree follows those before it',
      on(async (log) => {
        const trees: TreeHead[] = [headOf(log.tree())];
        for (const count of [1, 1, 1, 5, 120, 128, 1, 44, 256]) {
          await appendMany(log, count, `after ${trees.length}`);
          trees.push(headOf(log.tree()));
        }
        for (const [at, second] of trees.entries()) {
          for (const first of trees.slice(0, at + 1))
            assert.ok(verifyConsistency(first, second, await log.consistency(first.size, second.size)));
        }
      }),
    );

    test(
      'has each tile of each published tree, whole and partial, and those that came before it',
      on(async (log) => {
        const edge = new RightEdge();
        const nodes = new Map<string, Uint8Array>();
        const leaves: string[] = [];
        for (const count of [1, 2, 250, 3, 1, 300, 90]) {
          const before = log.tree().size;
          for (const { index, leaf } of await appendMany(log, count, `at ${before}`))
            leaves[index] = Buffer.from(leaf).toString();
          for (const leaf of leaves.slice(before)) {
            for (const { level, index, hash: node } of edge.append(leafHash(Buffer.from(leaf))))
              nodes.set(`${level}/${index}`, node);
          }
          for (const { level, index, width } of tilesToWrite(0, log.tree().size)) {
            const hashes = Array.from({ length: width }, (_, at) => nodes.get(`${level * 8}/${index * 256 + at}`));
            const expected = Buffer.concat(hashes.map((node) => node ?? Buffer.alloc(0)));
            assert.deepEqual(Buffer.from((await log.hashTile(level, index, width)) ?? []), expected);
            if (width > 1)
              assert.deepEqual(
                Buffer.from((await log.hashTile(level, index, width - 1)) ?? []),
                expected.subarray(0, -32),
              );
            if (width < 256) assert.equal(await log.hashTile(level, index, width + 1), undefined);
            if (level > 0) continue;
            const tile = Buffer.from((await log.entryTile(index, width)) ?? []);
            assert.deepEqual(decodeEntryTile(tile), leaves.slice(index * 256, index * 256 + width));
          }
        }
        for (const [level, index, width] of [
          [0, 3, 1],
          [1, 0, 3],
          [2, 0, 1],
          [63, 0, 1],
          [0, 0, 0],
          [0, 0, 257],
          [-1, 0, 1],
          [0, -1, 1],
          [0, 0.5, 1],
          [0, Number.NaN, 1],
          [0, 2 ** 53, 1],
        ] as const) {
          assert.equal(await log.hashTile(level, index, width), undefined);
          if (level === 0) assert.equal(await log.entryTile(index, width), undefined);
        }
      }),
    );

    test(
      'finds every entry by its terms, as soon as it has answered',
      on(async (log) => {
        const model: (readonly string[])[] = [];
        for (let at = 0; at < 400; at++) {
          const terms = ['all', `third ${at % 3}`, `fifth ${at % 5}`, `only ${at}`];
          const { index } = await log.append(entryOf(`searched ${at}`, ...terms, 'all'));
          model[index] = terms;
          assert.deepEqual(await log.search({ terms: [`only ${at}`], operator: 'and', limit: 10 }), [index]);
        }
        const expected = (wanted: readonly string[], operator: 'and' | 'or', limit: number, after: number) =>
          model
            .flatMap((terms, index) => {
              const has = (term: string): boolean => terms.includes(term);
              return index > after && (operator === 'and' ? wanted.every(has) : wanted.some(has)) ? [index] : [];
            })
            .slice(0, limit);
        for (const terms of [
          ['all'],
          ['third 1'],
          ['third 1', 'fifth 2'],
          ['third 1', 'third 2'],
          ['only 7', 'only 390', 'only 7'],
          ['all', 'only 200'],
          ['nobody'],
          ['nobody', 'only 3'],
        ]) {
          for (const operator of ['and', 'or'] as const) {
            for (const [limit, after] of [
              [1000, -1],
              [3, -1],
              [3, 100],
              [1, 399],
            ] as const)
              assert.deepEqual(
                await log.search({ terms, operator, limit, after }),
                expected(terms, operator, limit, after),
              );
          }
        }
        assert.deepEqual(await log.search({ terms: ['all'], operator: 'or', limit: 2 }), [0, 1]);
      }),
    );

    test(
      'never dates an entry before the one before it',
      on(async (log, subject) => {
        subject.setTime(5000);
        assert.equal((await log.append(entryOf('at 5'))).time, 5000);
        subject.setTime(2000);
        assert.equal((await log.append(entryOf('at 2'))).time, 5000);
        subject.setTime(6000);
        assert.equal((await log.append(entryOf('at 6'))).time, 6000);
        assert.equal((await log.append(entryOf('at 2'))).time, 5000);
      }),
    );

    test(
      'refuses what no tile or index can hold, and takes the largest that they can',
      on(async (log) => {
        const leaf = Buffer.alloc(65_535, 7);
        const largest = {
          leaf,
          identity: leafHash(leaf),
          extra: Buffer.alloc(100_000),
          terms: Array.from({ length: 256 }, (_, at) => `${at}`.padEnd(1024, 'x')),
        };
        const answer = await log.append(largest);
        requireProven(answer);
        assert.equal(answer.extra?.length, 100_000);
        assert.equal((await log.entryTile(0, 1))?.length, 65_537);
        const refused: Partial<NewEntry>[] = [
          { leaf: Buffer.alloc(65_536) },
          { identity: Buffer.alloc(31) },
          { identity: Buffer.alloc(33) },
          { extra: Buffer.alloc(2 ** 20 + 1) },
          { terms: Array.from({ length: 257 }, (_, at) => `${at}`) },
          { terms: [''] },
          { terms: ['x'.repeat(1025)] },
          { terms: ['Upper'] },
          { terms: ['\ud800'] },
          { terms: ['nul\0'] },
        ];
        for (const change of refused)
          await assert.rejects(log.append({ ...entryOf('refused'), ...change }), { code: 'entry-malformed' });
        assert.equal(log.tree().size, 1);
        const empty = await log.append({ leaf: Buffer.alloc(0), identity: leafHash(Buffer.alloc(0)), terms: [] });
        requireProven(empty);
      }),
    );

    test(
      'says so where what is asked cannot be',
      on(async (log) => {
        await appendMany(log, 3);
        for (const [first, second] of [
          [2, 1],
          [0, 4],
          [-1, 2],
          [0.5, 1],
          [0, Number.NaN],
        ] as const)
          await assert.rejects(log.consistency(first, second), { code: 'tree-range' });
        for (const [from, count] of [
          [-1, 1],
          [0.5, 1],
          [0, -1],
          [2 ** 53, 1],
        ] as const)
          await assert.rejects(log.entries(from, count), { code: 'tree-range' });
        const search = { terms: ['a'], operator: 'and', limit: 10 } as const;
        for (const change of [{ terms: [] }, { terms: ['A'] }, { limit: 0 }, { limit: 1001 }, { limit: 1.5 }])
          await assert.rejects(log.search({ ...search, ...change }), { code: 'search-malformed' });
        await assert.rejects(log.search({ ...search, after: Number.NaN }), { code: 'tree-range' });
      }),
    );

    test(
      'finishes what it has taken when it is closed, and takes nothing more',
      on(async (log) => {
        const taken = Array.from({ length: 20 }, (_, at) => log.append(entryOf(`taken ${at}`)));
        const closed = log.close();
        await assert.rejects(log.append(entryOf('too late')), { code: 'log-closed' });
        await closed;
        for (const answer of await Promise.all(taken)) requireProven(answer);
        assert.equal(log.tree().size, 20);
      }),
    );
  });
}

/** Fails unless the entry is in its tree, and the tree is signed. */
export function requireProven({ index, leaf, tree, proof }: ProvenEntry): void {
  requireSigned(tree);
  assert.ok(verifyInclusion(leafHash(leaf), index, headOf(tree), proof), `entry ${index} in ${tree.size}`);
}

export function headOf({ size, rootHash }: PublishedTree): TreeHead {
  return { size, root: rootHash };
}

function requireSigned(tree: PublishedTree): void {
  const { size, root } = decodeCheckpoint(decodeNote(tree.checkpoint, 'the checkpoint').text, 'the checkpoint');
  assert.equal(size, tree.size);
  assert.deepEqual(Buffer.from(root), Buffer.from(tree.rootHash));
}

async function required(log: AppendLog, index: number): Promise<ProvenEntry> {
  const entry = await log.entry(index);
  assert.ok(entry !== undefined, `entry ${index}`);
  return entry;
}

async function appendMany(
  log: AppendLog,
  count: number,
  name = 'entry',
): Promise<readonly (ProvenEntry & { readonly existed: boolean })[]> {
  return Promise.all(Array.from({ length: count }, (_, at) => log.append(entryOf(`${name} ${at}`))));
}

function entryOf(text: string, ...terms: readonly string[]): NewEntry {
  const leaf = Buffer.from(text);
  return { leaf, identity: leafHash(leaf), terms };
}

function decodeEntryTile(tile: Buffer): readonly string[] {
  const leaves: string[] = [];
  for (let at = 0; at < tile.length;) {
    const length = tile.readUInt16BE(at);
    leaves.push(tile.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return leaves;
}
