// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { leafHash, RightEdge } from '../../src/trust/index.ts';

/** A tree as a log has shown it. */
export interface ShownTree {
  readonly size: number;
  /** hex */
  readonly root: string;
}

/** Reads the leaves of a log from an index on, up to a size. */
export type ReadLeaves = (from: number, size: number) => AsyncIterable<Uint8Array>;

/**
 * What a log has told its clients, and whether it keeps its word: each entry at its place, no place twice, every tree that it ever showed on the
 * way to the one it shows now. Everything is computed from the leaves; the log's own word counts for nothing.
 */
export class ToldLog {
  readonly #name: string;
  readonly #edge = new RightEdge();
  /** by size: the root over all leaves before */
  readonly #roots: string[] = [Buffer.from(this.#edge.root()).toString('hex')];
  readonly #places = new Map<string, number>();
  readonly #trees = new Map<number, string>();
  #fresh: (readonly [index: number, leaf: string])[] = [];
  #freshTrees: ShownTree[] = [];
  /** what the log has been seen to have, by place */
  readonly #leaves: string[] = [];
  readonly #known = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  /** entries that were acknowledged, each once */
  get entries(): number {
    return this.#places.size;
  }

  /** A log has acknowledged an entry. */
  entry(index: number, leaf: Uint8Array, tree: ShownTree): void {
    const hash = hashOf(leaf);
    const known = this.#places.get(hash);
    assert.equal(index, known ?? index, `${this.#name}: an entry has two places`);
    assert.ok(index < tree.size, `${this.#name}: entry ${index} is not in the tree of ${tree.size} that came with it`);
    this.#places.set(hash, index);
    this.#fresh.push([index, hash]);
    this.shown(tree);
  }

  /** A log has shown a tree. */
  shown({ size, root }: ShownTree): void {
    assert.equal(this.#trees.get(size) ?? root, root, `${this.#name}: two trees of ${size} entries were shown`);
    if (!this.#trees.has(size)) this.#freshTrees.push({ size, root });
    this.#trees.set(size, root);
  }

  /** Holds the log to all that. @param tree that it shows now */
  async look(tree: ShownTree, read: ReadLeaves): Promise<void> {
    const name = this.#name;
    this.shown(tree);
    assert.ok(tree.size >= this.#edge.size, `${name}: shrunk from ${this.#edge.size} to ${tree.size}`);
    for await (const leaf of read(this.#edge.size, tree.size)) {
      this.#edge.append(leafHash(leaf));
      const hash = hashOf(leaf);
      assert.ok(!this.#known.has(hash), `${name}: has an entry twice`);
      this.#known.add(hash);
      this.#leaves.push(hash);
      this.#roots.push(Buffer.from(this.#edge.root()).toString('hex'));
    }
    assert.equal(this.#edge.size, tree.size, `${name}: does not show all its entries`);
    for (const [index, leaf] of this.#fresh) {
      assert.equal(this.#leaves[index], leaf, `${name}: entry ${index} was acknowledged, and another one is there`);
    }
    this.#fresh = [];
    for (const { size, root } of this.#freshTrees) {
      assert.equal(
        this.#roots[size],
        root,
        `${name}: the tree of ${size} entries that was shown is not on the way to that of ${tree.size}`,
      );
    }
    this.#freshTrees = [];
  }
}

function hashOf(leaf: Uint8Array): string {
  return Buffer.from(leafHash(leaf)).toString('hex');
}
