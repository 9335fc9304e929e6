// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../error.ts';
import {
  consistencyProof,
  foldProof,
  inclusionProof,
  planConsistency,
  planInclusion,
  planRoot,
  treeRoot,
  type TreeNode,
} from './merkle-proof.ts';
import { EMPTY_ROOT, leafHash, nodeHash, rootFromInclusion, verifyConsistency, verifyInclusion } from './merkle.ts';
import { naiveConsistency, naiveInclusion, naiveRoot } from './naive-tree.fixture.ts';
import { RightEdge } from './right-edge.ts';

/** The leaves of the test vectors that every implementation of Certificate Transparency has. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  (hex) => Buffer.from(hex, 'hex'),
);
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

function leavesOf(count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, index) => Buffer.from(`leaf ${index}`));
}

/** Stores the nodes of a tree as a log would. */
function stored(leaves: readonly Uint8Array[]): { edge: RightEdge; read: (node: TreeNode) => Uint8Array } {
  const edge = new RightEdge();
  const nodes = new Map<string, Uint8Array>();
  for (const leaf of leaves)
    for (const { level, index, hash } of edge.append(leafHash(leaf))) nodes.set(`${level} ${index}`, hash);
  const read = ({ level, index }: TreeNode): Uint8Array => {
    const hash = nodes.get(`${level} ${index}`);
    assert.ok(hash !== undefined, `node ${index} of level ${level} was never stored`);
    return hash;
  };
  return { edge, read };
}

/** How many hashes a proof has. */
function naiveLengths(first: number, second: number): number {
  return planConsistency(first, second).widths.length;
}

function outOfRange(act: () => unknown): void {
  assert.throws(act, (error) => error instanceof TrustError && error.code === 'tree-range');
}

test('roots are those of the vectors of Certificate Transparency', () => {
  assert.equal(Buffer.from(EMPTY_ROOT).toString('hex'), ROOTS[0]);
  for (let size = 1; size <= LEAVES.length; size++) {
    const { edge, read } = stored(LEAVES.slice(0, size));
    assert.equal(Buffer.from(edge.root()).toString('hex'), ROOTS[size]);
    assert.equal(Buffer.from(treeRoot(size, read)).toString('hex'), ROOTS[size]);
  }
});

test('a leaf and a node of the same octets have different hashes', () => {
  const [left, right] = [leafHash(Buffer.from('a')), leafHash(Buffer.from('b'))];
  assert.notDeepEqual(leafHash(Buffer.concat([left, right])), nodeHash(left, right));
});

describe('for every tree up to 40 leaves', () => {
  const all = leavesOf(40);
  const { read } = stored(all);

  test('inclusion proofs are those of the naive implementation, and hold', () => {
    for (let size = 1; size <= all.length; size++) {
      const leaves = all.slice(0, size);
      const root = naiveRoot(leaves);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, read);
        assert.deepEqual(proof, naiveInclusion(index, leaves), `${index} of ${size}`);
        assert.ok(verifyInclusion(leafHash(all[index] ?? Buffer.alloc(0)), index, { size, root }, proof));
      }
    }
  });

  test('consistency proofs are those of the naive implementation, and hold', () => {
    for (let second = 0; second <= all.length; second++) {
      const leaves = all.slice(0, second);
      for (let first = 0; first <= second; first++) {
        const proof = consistencyProof(first, second, read);
        if (first > 0) assert.deepEqual(proof, naiveConsistency(first, leaves), `${first} to ${second}`);
        const [before, after] = [
          { size: first, root: naiveRoot(all.slice(0, first)) },
          { size: second, root: naiveRoot(leaves) },
        ];
        assert.ok(verifyConsistency(before, after, proof), `${first} to ${second}`);
      }
    }
  });
});

describe('refuses a proof of inclusion', () => {
  const leaves = leavesOf(13);
  const { read } = stored(leaves);
  const size = leaves.length;
  const root = treeRoot(size, read);
  const leafAt = (index: number): Uint8Array => leafHash(leaves[index] ?? Buffer.alloc(0));

  test('of another leaf, index, size or root', () => {
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(index, size, read);
      assert.ok(!verifyInclusion(leafAt((index + 1) % size), index, { size, root }, proof));
      assert.ok(!verifyInclusion(leafAt(index), index, { size, root: leafAt(0) }, proof));
      for (let other = 0; other < size; other++)
        if (other !== index) assert.ok(!verifyInclusion(leafAt(index), other, { size, root }, proof), `${other}`);
    }
  });

  test('with one hash too few, too many, or changed', () => {
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(index, size, read);
      assert.ok(!verifyInclusion(leafAt(index), index, { size, root }, proof.slice(1)));
      assert.ok(!verifyInclusion(leafAt(index), index, { size, root }, proof.slice(0, -1)));
      assert.ok(!verifyInclusion(leafAt(index), index, { size, root }, [...proof, root]));
      for (const at of proof.keys())
        assert.ok(!verifyInclusion(leafAt(index), index, { size, root }, proof.with(at, EMPTY_ROOT)), `${index} ${at}`);
    }
  });

  test('that goes on where the tree has ended', () => {
    const proof = inclusionProof(3, size, read);
    assert.equal(rootFromInclusion(leafAt(3), { index: 3, size }, [...proof, root]), undefined);
    assert.equal(rootFromInclusion(leafAt(0), { index: 0, size: 1 }, [root]), undefined);
  });

  test('for a tree of another size with the same root', () => {
    const proof = inclusionProof(4, size, read);
    // Between two powers of two many sizes have the same path for a leaf; beyond them none has.
    for (const other of [5, 8, 17, 32, 2 ** 40])
      assert.ok(!verifyInclusion(leafAt(4), 4, { size: other, root }, proof), `${other}`);
  });

  test('with an index outside of the tree, an empty tree, numbers that are none, and hashes of another length', () => {
    const proof = inclusionProof(0, size, read);
    const leaf = leafAt(0);
    for (const [index, of] of [
      [size, size],
      [-1, size],
      [0.5, size],
      [Number.NaN, size],
      [0, 0],
      [0, -1],
      [0, Number.POSITIVE_INFINITY],
      [2 ** 53, 2 ** 53 + 2],
    ] as const)
      assert.equal(rootFromInclusion(leaf, { index, size: of }, proof), undefined, `${index} of ${of}`);
    assert.equal(rootFromInclusion(leaf.subarray(1), { index: 0, size }, proof), undefined);
    assert.equal(rootFromInclusion(leaf, { index: 0, size }, proof.with(0, leaf.subarray(1))), undefined);
  });
});

describe('refuses a proof of consistency', () => {
  const leaves = leavesOf(21);
  const { read } = stored(leaves);
  const head = (size: number): { size: number; root: Uint8Array } => ({ size, root: naiveRoot(leaves.slice(0, size)) });

  test('for a tree whose past was changed, and for a smaller one', () => {
    for (let first = 1; first < leaves.length; first++) {
      const proof = consistencyProof(first, leaves.length, read);
      const forged = { size: first, root: naiveRoot([...leaves.slice(0, first - 1), Buffer.from('forged')]) };
      assert.ok(!verifyConsistency(forged, head(leaves.length), proof), `${first}`);
      assert.ok(!verifyConsistency(head(first), { ...head(leaves.length), root: forged.root }, proof), `${first}`);
      assert.ok(!verifyConsistency(head(leaves.length), head(first), proof), `${first}`);
    }
  });

  test('with one hash too few, too many, or changed', () => {
    for (let first = 1; first < leaves.length; first++) {
      const proof = consistencyProof(first, leaves.length, read);
      const [before, after] = [head(first), head(leaves.length)];
      assert.ok(!verifyConsistency(before, after, proof.slice(1)));
      assert.ok(!verifyConsistency(before, after, proof.slice(0, -1)));
      assert.ok(!verifyConsistency(before, after, [...proof, after.root]));
      for (const at of proof.keys())
        assert.ok(!verifyConsistency(before, after, proof.with(at, EMPTY_ROOT)), `${first} ${at}`);
    }
  });

  test('for a tree of another size with the same root, where the path would be another', () => {
    for (let first = 1; first < 16; first++)
      for (let second = first + 1; second <= 16; second++) {
        const proof = consistencyProof(first, second, read);
        for (let claimed = first + 1; claimed <= 40; claimed++) {
          const samePath = naiveLengths(first, claimed) === naiveLengths(first, second);
          const holds = verifyConsistency(head(first), { size: claimed, root: head(second).root }, proof);
          assert.ok(!holds || samePath, `${first} to ${second}, claimed to be ${claimed}`);
        }
      }
  });

  test('with anything in it where nothing needs to be proved', () => {
    assert.ok(verifyConsistency(head(0), head(5), []));
    assert.ok(!verifyConsistency(head(0), head(5), [EMPTY_ROOT]));
    assert.ok(!verifyConsistency({ size: 0, root: head(1).root }, head(5), []));
    assert.ok(verifyConsistency(head(5), head(5), []));
    assert.ok(!verifyConsistency(head(5), head(5), [EMPTY_ROOT]));
    assert.ok(!verifyConsistency(head(5), { ...head(5), root: EMPTY_ROOT }, []));
    assert.ok(!verifyConsistency(head(3), head(5), []));
  });

  test('of sizes that are none and hashes of another length', () => {
    for (const size of [-1, 0.5, Number.NaN, 2 ** 53])
      assert.ok(!verifyConsistency({ ...head(1), size }, head(5), []), `${size}`);
    assert.ok(!verifyConsistency(head(3), { ...head(5), root: EMPTY_ROOT.subarray(1) }, []));
  });
});

test('no random proof holds', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(hash, hash, fc.nat(100), fc.nat(100), fc.array(hash, { maxLength: 8 }), (leaf, root, a, b, proof) => {
      assert.ok(!verifyInclusion(leaf, a, { size: b, root }, proof) || Buffer.compare(leaf, root) === 0);
      assert.ok(!verifyConsistency({ size: a, root: leaf }, { size: b, root }, proof) || a === b);
    }),
  );
});

describe('plans', () => {
  test('of trees beyond 32 bits are as short as their depth, and need nothing that is not full', () => {
    const size = 2 ** 52 + 2 ** 33 + 5;
    for (const index of [0, 2 ** 33 - 1, 2 ** 52 - 1, 2 ** 52, size - 1]) {
      const { nodes, widths } = planInclusion(index, size);
      assert.ok(widths.length <= 53);
      for (const node of nodes) assert.ok((node.index + 1) * 2 ** node.level <= size);
    }
    assert.ok(planConsistency(2 ** 40 + 1, size).widths.length <= 54);
    assert.deepEqual(
      planRoot(size).nodes.map(({ level }) => level),
      [52, 33, 2, 0],
    );
  });

  test('are refused for a leaf that is not in the tree, a tree that does not follow, and the root of nothing', () => {
    outOfRange(() => planInclusion(5, 5));
    outOfRange(() => planInclusion(-1, 5));
    outOfRange(() => planInclusion(0, 2 ** 53));
    outOfRange(() => planConsistency(6, 5));
    outOfRange(() => planConsistency(-1, 5));
    outOfRange(() => planRoot(0));
    outOfRange(() => planRoot(1.5));
  });

  test('are folded from exactly the hashes that they name', () => {
    const { read } = stored(leavesOf(11));
    const plan = planInclusion(3, 11);
    assert.deepEqual(foldProof(plan, plan.nodes.map(read)), inclusionProof(3, 11, read));
    outOfRange(() => foldProof(plan, plan.nodes.slice(1).map(read)));
    outOfRange(() => foldProof(plan, [...plan.nodes.map(read), EMPTY_ROOT]));
  });
});

describe('a right edge', () => {
  test('taken up again from stored hashes goes on as if it had never stopped', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), (before, more) => {
        const leaves = leavesOf(before + more);
        const { read } = stored(leaves);
        const hashes = before === 0 ? [] : planRoot(before).nodes.map(read);
        const edge = RightEdge.restore(before, hashes);
        for (const leaf of leaves.slice(before)) edge.append(leafHash(leaf));
        assert.equal(edge.size, before + more);
        assert.deepEqual(edge.root(), naiveRoot(leaves));
      }),
    );
  });

  test('that was copied does not grow with the copy', () => {
    const { edge } = stored(leavesOf(5));
    const root = edge.root();
    const copy = edge.copy();
    copy.append(leafHash(Buffer.from('more')));
    assert.deepEqual(edge.root(), root);
    assert.deepEqual([edge.size, copy.size], [5, 6]);
    assert.notDeepEqual(copy.root(), root);
  });

  test('is not taken up from too few hashes, too many, or what is none', () => {
    const { read } = stored(leavesOf(5));
    const hashes = planRoot(5).nodes.map(read);
    outOfRange(() => RightEdge.restore(5, hashes.slice(1)));
    outOfRange(() => RightEdge.restore(5, [...hashes, EMPTY_ROOT]));
    outOfRange(() => RightEdge.restore(0, [EMPTY_ROOT]));
    outOfRange(() =>
      RightEdge.restore(
        5,
        hashes.map((hash) => hash.subarray(1)),
      ),
    );
  });

  test('takes nothing but hashes', () => {
    outOfRange(() => new RightEdge().append(Buffer.from('leaf')));
  });
});
