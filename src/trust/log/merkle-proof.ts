// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { isCount, nodeHash } from './merkle.ts';

// The other side of `merkle.ts`: how a log makes its proofs. A proof is first planned, as a list of the stored hashes that it is made of,
// so that a log can fetch them from wherever it keeps them, all at once; then it is folded out of them.

/** A full subtree: the `2^level` leaves from `index * 2^level` on. Its hash never changes, so it can be stored. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Which stored hashes a proof is made of. */
export interface ProofPlan {
  readonly nodes: readonly TreeNode[];
  /** how many of them, in order, make up each hash of the proof */
  readonly widths: readonly number[];
}

/** Gives a stored hash. */
export type NodeReader = (node: TreeNode) => Uint8Array;

/** The plan for the root of the tree with `size` leaves, of which there must be one at least. @throws TrustError `tree-range` */
export function planRoot(size: number): ProofPlan {
  if (!isCount(size) || size === 0) throw new TrustError('tree-range', `a tree of ${size} leaves has no stored root`);
  return planOf([[0, size]]);
}

/**
 * The plan for the proof that leaf `index` is in the tree with `size` leaves.
 *
 * @throws TrustError `tree-range`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1
 */
export function planInclusion(index: number, size: number): ProofPlan {
  if (!isCount(index) || !isCount(size) || index >= size)
    throw new TrustError('tree-range', `the leaf ${index} is not in a tree of ${size} leaves`);
  const ranges: Range[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + largestPowerBelow(end - begin);
    ranges.push(index < middle ? [middle, end] : [begin, middle]);
    [begin, end] = index < middle ? [begin, middle] : [middle, end];
  }
  return planOf(ranges.toReversed());
}

/**
 * The plan for the proof that the tree with `second` leaves is the one with `first`, and more.
 *
 * @throws TrustError `tree-range`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.2
 */
export function planConsistency(first: number, second: number): ProofPlan {
  if (!isCount(first) || !isCount(second) || first > second)
    throw new TrustError('tree-range', `a tree of ${second} leaves does not follow one of ${first}`);
  if (first === 0) return { nodes: [], widths: [] };
  const ranges: Range[] = [];
  let [begin, end] = [0, second];
  while (first !== end) {
    const middle = begin + largestPowerBelow(end - begin);
    ranges.push(first <= middle ? [middle, end] : [begin, middle]);
    [begin, end] = first <= middle ? [begin, middle] : [middle, end];
  }
  // What is left is the right end of the first tree. If that is the whole of it, whoever asks has its hash.
  return planOf(begin === 0 ? ranges.toReversed() : [[begin, end], ...ranges.toReversed()]);
}

/**
 * The hashes of a proof (or the root) from the stored ones.
 *
 * @param hashes of `plan.nodes`, in their order
 * @throws TrustError `tree-range` if there are too few or too many
 */
export function foldProof({ nodes, widths }: ProofPlan, hashes: readonly Uint8Array[]): readonly Uint8Array[] {
  if (hashes.length !== nodes.length)
    throw new TrustError('tree-range', `a proof of ${nodes.length} stored hashes is given ${hashes.length}`);
  let at = 0;
  return widths.map((width) => {
    at += width;
    return foldRight(hashes.slice(at - width, at));
  });
}

/** The root of the tree with `size` leaves. @throws TrustError `tree-range`; what the reader throws */
export function treeRoot(size: number, read: NodeReader): Uint8Array {
  return foldRight(planRoot(size).nodes.map(read));
}

/** The proof that leaf `index` is in the tree with `size` leaves. @throws TrustError `tree-range`; what the reader throws */
export function inclusionProof(index: number, size: number, read: NodeReader): readonly Uint8Array[] {
  const plan = planInclusion(index, size);
  return foldProof(plan, plan.nodes.map(read));
}

/** The proof that the second tree is the first, and more. @throws TrustError `tree-range`; what the reader throws */
export function consistencyProof(first: number, second: number, read: NodeReader): readonly Uint8Array[] {
  const plan = planConsistency(first, second);
  return foldProof(plan, plan.nodes.map(read));
}

/** From the first leaf to the one before the second number. */
type Range = readonly [begin: number, end: number];

function planOf(ranges: readonly Range[]): ProofPlan {
  const groups = ranges.map(([begin, end]) => cover(begin, end));
  return { nodes: groups.flat(), widths: groups.map(({ length }) => length) };
}

// The fewest full subtrees that make up a range, from the left: those of a tree that ends where the range does are larger than all after.
function cover(begin: number, end: number): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = begin; at < end;) {
    let [level, width] = [0, 1];
    while ((at / width) % 2 === 0 && at + 2 * width <= end) [level, width] = [level + 1, 2 * width];
    nodes.push({ level, index: at / width });
    at += width;
  }
  return nodes;
}

/** @param hashes one at least */
export function foldRight(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.reduceRight((right, left) => nodeHash(left, right));
}

/** For numbers from 2 on: the largest power of two that is smaller. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power * 2 < count) power *= 2;
  return power;
}
