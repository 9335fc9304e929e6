// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leafHash, RightEdge } from '../../src/trust/index.ts';
import { ToldLog, type ReadLeaves, type ShownTree } from './told.ts';

// The judge of the crash tests is judged: each way in which a log could break its word is found.

const leaf = (text: string): Uint8Array => Buffer.from(text);

function treeOf(texts: readonly string[]): ShownTree {
  const edge = new RightEdge();
  for (const text of texts) edge.append(leafHash(leaf(text)));
  return { size: texts.length, root: Buffer.from(edge.root()).toString('hex') };
}

function reading(texts: readonly string[]): ReadLeaves {
  return async function* (from, size) {
    for (const text of texts.slice(from, size)) yield leaf(text);
  };
}

function toldOf(texts: readonly string[]): ToldLog {
  const told = new ToldLog('log');
  for (const [index, text] of texts.entries()) told.entry(index, leaf(text), treeOf(texts.slice(0, index + 1)));
  return told;
}

const ABC = ['a', 'b', 'c'];

describe('a log keeps its word', () => {
  test('when it has what it told, and more', async () => {
    const told = toldOf(ABC);
    await told.look(treeOf(ABC), reading(ABC));
    told.entry(1, leaf('b'), treeOf(ABC));
    await told.look(treeOf([...ABC, 'd']), reading([...ABC, 'd']));
    assert.equal(told.entries, 3);
  });
});

describe('a log breaks its word', () => {
  const broken: Readonly<Record<string, readonly [texts: readonly string[], says: RegExp]>> = {
    'when an entry is lost': [['a', 'b'], /entry 2 was acknowledged/],
    'when entries have changed places': [['a', 'c', 'b'], /two trees of 3|entry 1 was acknowledged/],
    'when an entry is another one': [['a', 'x', 'c', 'd'], /entry 1 was acknowledged/],
    'when an entry is there twice': [['a', 'b', 'c', 'a'], /has an entry twice/],
  };
  for (const [what, [texts, says]] of Object.entries(broken)) {
    test(what, async () => {
      await assert.rejects(toldOf(ABC).look(treeOf(texts), reading(texts)), { message: says });
    });
  }

  test('when it shrinks after it was looked at', async () => {
    const told = toldOf(ABC);
    await told.look(treeOf(ABC), reading(ABC));
    await assert.rejects(told.look(treeOf(['a']), reading(['a'])), { message: /shrunk from 3 to 1/ });
  });

  test('when a tree that it showed is not on its way', async () => {
    const told = new ToldLog('log');
    told.shown(treeOf(['x']));
    await assert.rejects(told.look(treeOf(ABC), reading(ABC)), {
      message: /tree of 1 entries that was shown is not on the way/,
    });
  });

  test('when its root is not that of its entries', async () => {
    const told = new ToldLog('log');
    await assert.rejects(told.look({ ...treeOf(['x', 'y', 'z']) }, reading(ABC)), { message: /not on the way/ });
  });

  test('when it shows fewer entries than it signs', async () => {
    await assert.rejects(new ToldLog('log').look(treeOf(ABC), reading(['a'])), { message: /does not show all/ });
  });

  test('when it gives a place twice, two places, or one that is not in the tree', () => {
    const told = toldOf(ABC);
    assert.throws(() => told.entry(2, leaf('b'), treeOf(ABC)), /two places/);
    assert.throws(() => told.entry(7, leaf('q'), treeOf(ABC)), /not in the tree/);
    assert.throws(() => told.shown(treeOf(['a', 'b', 'z'])), /two trees of 3/);
  });
});
