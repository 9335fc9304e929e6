// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { foldRight, planRoot, type TreeNode } from './merkle-proof.ts';
import { EMPTY_ROOT, HASH_BYTES, isCount, nodeHash } from './merkle.ts';

/** A stored hash, and its place. */
export interface NodeHash extends TreeNode {
  readonly hash: Uint8Array;
}

/**
 * A tree that grows: all that is needed of it to add leaves and to know its root, one hash for each binary digit of its size.
 *
 * @example
 * const edge = RightEdge.restore(size, planRoot(size).nodes.map(read)); // or new RightEdge()
 * for (const node of edge.append(leafHash(entry))) store(node);
 * publish({ size: edge.size, root: edge.root() });
 */
export class RightEdge {
  #size = 0;
  /** of the full subtrees, from the left, each larger than the next */
  readonly #nodes: NodeHash[] = [];

  /**
   * Takes up a tree where it stood.
   *
   * @param hashes of `planRoot(size).nodes`, in their order; none for the empty tree
   * @throws TrustError `tree-range`
   */
  static restore(size: number, hashes: readonly Uint8Array[]): RightEdge {
    const edge = new RightEdge();
    const nodes = size === 0 ? [] : planRoot(size).nodes;
    if (hashes.length !== nodes.length || hashes.some(({ length }) => length !== HASH_BYTES))
      throw new TrustError(
        'tree-range',
        `the right edge of ${size} leaves is given ${hashes.length} hashes, expected ${nodes.length} of ${HASH_BYTES} octets`,
      );
    edge.#size = size;
    edge.#nodes.push(...nodes.flatMap((node, at) => nodeAt(node, hashes[at])));
    return edge;
  }

  get size(): number {
    return this.#size;
  }

  root(): Uint8Array {
    return this.#nodes.length === 0 ? EMPTY_ROOT : foldRight(this.#nodes.map(({ hash }) => hash));
  }

  /** What `restore` takes this tree up from. */
  hashes(): readonly Uint8Array[] {
    return this.#nodes.map(({ hash }) => hash);
  }

  /** The same tree, to be grown without changing this one. */
  copy(): RightEdge {
    return RightEdge.restore(this.#size, this.hashes());
  }

  /**
   * Adds a leaf by its hash. @returns the nodes that are full from now on, from the leaf upward: store them
   *
   * @throws TrustError `tree-range` if it is no hash
   */
  append(leaf: Uint8Array): readonly NodeHash[] {
    if (leaf.length !== HASH_BYTES || !isCount(this.#size + 1))
      throw new TrustError('tree-range', `a leaf of ${leaf.length} octets after ${this.#size} leaves`);
    let node: NodeHash = { level: 0, index: this.#size, hash: leaf };
    const full = [node];
    for (let left = this.#nodes.at(-1); left?.level === node.level; left = this.#nodes.at(-1)) {
      this.#nodes.pop();
      node = { level: node.level + 1, index: (node.index - 1) / 2, hash: nodeHash(left.hash, node.hash) };
      full.push(node);
    }
    this.#nodes.push(node);
    this.#size++;
    return full;
  }
}

function nodeAt({ level, index }: TreeNode, hash: Uint8Array | undefined): readonly NodeHash[] {
  return hash === undefined ? [] : [{ level, index, hash }];
}
