// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../error.ts';
import { consistencyProof, inclusionProof, treeRoot, type TreeNode } from './merkle-proof.ts';
import { leafHash, verifyConsistency, verifyInclusion } from './merkle.ts';
import { RightEdge } from './right-edge.ts';
import { entriesPath, hashInTile, parseTilePath, TILE_WIDTH, tileOf, tilePath, tilesToWrite } from './tile.ts';

function outOfRange(act: () => unknown): void {
  assert.throws(act, (error) => error instanceof TrustError && error.code === 'tree-range');
}

describe('paths', () => {
  test('are those of the specification', () => {
    assert.equal(tilePath({ level: 0, index: 0, width: 256 }), 'tile/0/000');
    assert.equal(tilePath({ level: 3, index: 1_234_067, width: 256 }), 'tile/3/x001/x234/067');
    assert.equal(tilePath({ level: 10, index: 1000, width: 8 }), 'tile/10/x001/000.p/8');
    assert.equal(entriesPath({ index: 12_345, width: 255 }), 'tile/entries/x012/345.p/255');
  });

  test('are read back', () => {
    fc.assert(
      fc.property(
        fc.nat(63),
        fc.maxSafeNat(),
        fc.integer({ min: 1, max: 256 }),
        fc.boolean(),
        (level, index, width, entries) => {
          const tile = { level: entries ? 0 : level, index, width };
          const path = entries ? entriesPath(tile) : tilePath(tile);
          assert.deepEqual(parseTilePath(path), { kind: entries ? 'entries' : 'hashes', ...tile });
        },
      ),
    );
  });

  for (const path of [
    '',
    'tile/0/0',
    'tile/00/000',
    'tile/64/000',
    'tile/0/x000/000',
    'tile/0/x001/x/000',
    'tile/0/1000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/300',
    'tile/0/000.p/01',
    'tile/0/000/',
    'tile/0/../000',
    'tile/-1/000',
    'tile/entries/000.p/',
    'tile/0/x009/x007/x199/x254/x740/x993',
    'tile/0/x009/x007/x199/x254/x740/993',
    'tile/0/x001/000\n',
  ])
    test(`'${path.trim()}' is none`, () => assert.equal(parseTilePath(path), undefined));

  test('nothing else is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'tile/0159x.p-'.split('')) }), (rest) => {
        const tile = parseTilePath(`tile/${rest}`);
        if (tile === undefined) return;
        assert.equal(tile.kind === 'entries' ? entriesPath(tile) : tilePath(tile), `tile/${rest}`);
      }),
    );
  });
});

test('a log grows into the tiles of the specification', () => {
  const widths = (size: number): readonly string[] => tilesToWrite(0, size).map(tilePath);
  assert.deepEqual(widths(0), []);
  assert.deepEqual(widths(1), ['tile/0/000.p/1']);
  // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1"
  assert.deepEqual(widths(256), ['tile/0/000', 'tile/1/000.p/1']);
  const large = tilesToWrite(0, 70_000);
  assert.equal(large.filter(({ level, width }) => level === 0 && width === TILE_WIDTH).length, 273);
  assert.deepEqual(large.filter(({ width }) => width < TILE_WIDTH).map(tilePath), [
    'tile/0/273.p/112',
    'tile/1/001.p/17',
    'tile/2/000.p/1',
  ]);
});

test('only what changed is written', () => {
  assert.deepEqual(tilesToWrite(300, 300), []);
  assert.deepEqual(tilesToWrite(300, 301).map(tilePath), ['tile/0/001.p/45']);
  assert.deepEqual(tilesToWrite(511, 513).map(tilePath), ['tile/0/001', 'tile/0/002.p/1', 'tile/1/000.p/2']);
  outOfRange(() => tilesToWrite(2, 1));
  outOfRange(() => tilesToWrite(-1, 1));
});

describe('of what was written, and nothing else,', () => {
  const size = 70_001;
  const leaves = Array.from({ length: size }, (_, index) => leafHash(Buffer.from(String(index))));
  const edge = new RightEdge();
  const nodes = new Map<string, Uint8Array>();
  for (const leaf of leaves)
    for (const { level, index, hash } of edge.append(leaf)) if (level % 8 === 0) nodes.set(`${level} ${index}`, hash);
  const tiles = new Map(
    tilesToWrite(0, size).map((tile) => [
      tilePath(tile),
      Buffer.concat(
        Array.from(
          { length: tile.width },
          (_, at) => nodes.get(`${8 * tile.level} ${256 * tile.index + at}`) ?? Buffer.alloc(0),
        ),
      ),
    ]),
  );
  const read = (node: TreeNode): Uint8Array => {
    const place = tileOf(node, size);
    const tile = tiles.get(tilePath(place.tile));
    assert.ok(tile !== undefined, tilePath(place.tile));
    return hashInTile(tile, place);
  };

  test('the root is made', () => assert.deepEqual(treeRoot(size, read), edge.root()));

  test('proofs are made', () => {
    for (const index of [0, 1, 255, 256, 65_535, 65_536, 69_888, size - 1]) {
      const leaf = leaves[index] ?? Buffer.alloc(0);
      assert.ok(verifyInclusion(leaf, index, { size, root: edge.root() }, inclusionProof(index, size, read)));
    }
    for (const first of [1, 256, 65_536, 70_000]) {
      const before = { size: first, root: treeRoot(first, read) };
      assert.ok(
        verifyConsistency(before, { size, root: edge.root() }, consistencyProof(first, size, read)),
        `${first}`,
      );
    }
  });

  test('a full tile does for a partial one', () => {
    const place = tileOf({ level: 2, index: 1 }, 9);
    assert.deepEqual(place, { tile: { level: 0, index: 0, width: 9 }, first: 4, count: 4 });
    assert.deepEqual(hashInTile(tiles.get('tile/0/000') ?? Buffer.alloc(0), place), read({ level: 2, index: 1 }));
    outOfRange(() => hashInTile(Buffer.alloc(32 * 8), place));
    outOfRange(() => hashInTile(Buffer.alloc(0), place));
  });

  test('a node that is not full yet is not asked for', () => {
    outOfRange(() => tileOf({ level: 17, index: 0 }, size));
    outOfRange(() => tileOf({ level: 0, index: size }, size));
    outOfRange(() => tileOf({ level: 1, index: 35_000 }, size));
    outOfRange(() => tileOf({ level: 8, index: 273 }, size));
  });
});
