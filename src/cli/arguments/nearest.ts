// SPDX-License-Identifier: Apache-2.0

/** Longer words are not compared: the cost is the product of the lengths. */
const MAX_LENGTH = 64;

/**
 * The candidate that was probably meant, or `undefined` where none is near: at most a third of the word may differ, counting a
 * swap of neighbours as one, or the word begins the candidate.
 *
 * @example nearest('kye', ['key', 'yes']) // 'key'
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > MAX_LENGTH) return undefined;
  const allowed = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = allowed + 1;
  let begun: string | undefined;
  for (const candidate of candidates) {
    if (candidate.length > MAX_LENGTH) continue;
    if (word.length >= 3 && candidate.startsWith(word)) begun ??= candidate;
    if (Math.abs(candidate.length - word.length) > allowed) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best ?? begun;
}

/**
 * The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
 *
 * @see https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance
 */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    [before, above] = [above, current];
  }
  return above[b.length] ?? 0;
}
