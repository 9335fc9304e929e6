// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { entriesPath, TILE_WIDTH } from '../../src/trust/index.ts';
import type { StackEndpoints } from '../../src/up/index.ts';
import { post, type Answered } from '../chain/stack.ts';
import type { ReadLeaves } from './told.ts';

/** a log answers that many entries at a time */
const RETRIEVED = 10;

/** An entry as Rekor v1 answers it, what is read of it here. */
export interface V1Entry {
  readonly body: string;
  readonly logIndex: number;
  readonly verification: { readonly inclusionProof: { readonly rootHash: string; readonly treeSize: number } };
}

/** An answer that must have a status. */
export function ok(answer: Answered, status: number): Answered {
  assert.equal(answer.status, status, answer.text);
  return answer;
}

/** The leaves of Rekor v2, out of its entry tiles. */
export function tiles({ rekor2 }: StackEndpoints): ReadLeaves {
  return async function* (from, size) {
    for (let at = from; at < size;) {
      const index = Math.floor(at / TILE_WIDTH);
      const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
      const answer = await fetch(`${rekor2}/${entriesPath({ index, width })}`);
      assert.equal(answer.status, 200, `the tile of entry ${at}`);
      const tile = Buffer.from(await answer.arrayBuffer());
      for (let offset = 0, place = index * TILE_WIDTH; offset < tile.length; place++) {
        const length = tile.readUInt16BE(offset);
        if (place >= at) yield tile.subarray(offset + 2, offset + 2 + length);
        offset += 2 + length;
      }
      at = index * TILE_WIDTH + width;
    }
  };
}

/** The leaves of Rekor v1, by their places. */
export function v1Entries({ rekor }: StackEndpoints): ReadLeaves {
  return async function* (from, size) {
    for (let at = from; at < size; at += RETRIEVED) {
      const logIndexes = Array.from({ length: Math.min(RETRIEVED, size - at) }, (_, n) => at + n);
      const { text } = ok(await post(`${rekor}/api/v1/log/entries/retrieve`, { logIndexes }), 200);
      const found = (JSON.parse(text) as readonly Record<string, V1Entry>[]).flatMap((entry) => Object.values(entry));
      const byIndex = new Map(found.map(({ logIndex, body }) => [logIndex, body]));
      for (const index of logIndexes) {
        const body = byIndex.get(index);
        assert.ok(body !== undefined, `Rekor v1 has no entry ${index}`);
        yield Buffer.from(body, 'base64');
      }
    }
  };
}
