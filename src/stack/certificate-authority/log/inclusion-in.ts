// SPDX-License-Identifier: Apache-2.0
import { foldProof, hashInTile, planInclusion, tileOf } from '../../../trust/index.ts';
import type { AppendLog } from '../../log/append-log.ts';

/**
 * The proof that an entry is in the tree that the log once had, made of the tiles that it has now.
 *
 * @param size of that tree; above `index`, and no larger than the newest
 * @throws what the log throws
 */
export async function inclusionIn(log: AppendLog, index: number, size: number): Promise<readonly Uint8Array[]> {
  const newest = log.tree().size;
  const plan = planInclusion(index, size);
  const hashes = await Promise.all(
    plan.nodes.map(async (node) => {
      const place = tileOf(node, newest);
      const { level, index: at, width } = place.tile;
      const octets = await log.hashTile(level, at, width);
      if (octets === undefined)
        throw new Error(`internal error: the log has no tile ${level}/${at} of ${width} hashes`);
      return hashInTile(octets, place);
    }),
  );
  return foldProof(plan, hashes);
}
