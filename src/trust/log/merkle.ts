// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { sameOctets } from '../der/same-octets.ts';

// Merkle trees as RFC 6962 section 2.1 has them, with SHA-256. Indexes and sizes are whole numbers up to 2^53 - 1, so they are halved by
// division: shifts would cut them to 32 bits.

/** octets of every hash in a tree */
export const HASH_BYTES = 32;

/** The root of the tree without leaves. */
export const EMPTY_ROOT: Uint8Array = hash('sha256', '', 'buffer');

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = 1;
/** Filled and hashed at once, so that the million nodes of a log are not a million allocations. */
const NODE = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** A tree as a checkpoint describes it. */
export interface TreeHead {
  /** how many leaves it has */
  readonly size: number;
  readonly root: Uint8Array;
}

/** The hash of a leaf: of an entry with a zero before it, so that no node can be taken for one. */
export function leafHash(entry: Uint8Array): Uint8Array {
  return hash('sha256', Buffer.concat([LEAF_PREFIX, entry]), 'buffer');
}

/** The hash of a node from those below it, 32 octets each. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  NODE.set(left, 1);
  NODE.set(right, 1 + HASH_BYTES);
  return hash('sha256', NODE, 'buffer');
}

/**
 * The root that a proof of inclusion leads to; `undefined` if it is no proof for that place: an index outside of the tree, too few or
 * too many hashes, or what is no hash.
 *
 * @param leaf hash of the leaf
 * @param hashes from the leaf to the root
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2
 */
export function rootFromInclusion(
  leaf: Uint8Array,
  { index, size }: { readonly index: number; readonly size: number },
  hashes: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!isCount(index) || !isCount(size) || index >= size || !areHashes([leaf, ...hashes])) return undefined;
  let node = index;
  let last = size - 1;
  let root = leaf;
  for (const sibling of hashes) {
    if (last === 0) return undefined;
    if (isRight(node) || node === last) {
      root = nodeHash(sibling, root);
      // A node without a right neighbour is its own parent.
      while (!isRight(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      root = nodeHash(root, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 ? root : undefined;
}

/**
 * Whether a leaf is in a tree, at that index.
 *
 * @param leaf hash of the leaf
 * @param hashes from the leaf to the root
 */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  { size, root }: TreeHead,
  hashes: readonly Uint8Array[],
): boolean {
  const computed = rootFromInclusion(leaf, { index, size }, hashes);
  return computed !== undefined && sameOctets(computed, root);
}

/**
 * Whether the second tree is the first with more leaves after it: that the log has forgotten and changed nothing.
 *
 * Every tree follows the empty one, and itself; neither needs a proof.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2
 */
export function verifyConsistency(first: TreeHead, second: TreeHead, hashes: readonly Uint8Array[]): boolean {
  if (!isCount(first.size) || !isCount(second.size) || first.size > second.size) return false;
  if (!areHashes([first.root, second.root, ...hashes])) return false;
  if (first.size === second.size) return hashes.length === 0 && sameOctets(first.root, second.root);
  if (first.size === 0) return hashes.length === 0 && sameOctets(first.root, EMPTY_ROOT);
  // A first tree that is full is a node of the second, and needs not be said.
  const [start, ...rest] = isPowerOfTwo(first.size) ? [first.root, ...hashes] : hashes;
  if (start === undefined) return false;
  let node = first.size - 1;
  let last = second.size - 1;
  while (isRight(node)) [node, last] = [half(node), half(last)];
  let before = start;
  let after = start;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isRight(node) || node === last) {
      before = nodeHash(sibling, before);
      after = nodeHash(sibling, after);
      while (!isRight(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else {
      after = nodeHash(after, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameOctets(before, first.root) && sameOctets(after, second.root);
}

/** Whether this is a number of leaves. */
export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((one) => one.length === HASH_BYTES);
}

function isRight(node: number): boolean {
  return node % 2 === 1;
}

function half(node: number): number {
  return Math.floor(node / 2);
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}
