// SPDX-License-Identifier: Apache-2.0

/** Longer names are not compared: the cost is the product of the lengths. */
const MAX_LENGTH = 40;

/**
 * The known field that was probably meant: the same but for case and dashes, or at most a third of it differs.
 *
 * @example nearestField('identites', ['identities', 'url']) // 'identities'
 */
export function nearestField(name: string, known: Iterable<string>): string | undefined {
  if (name.length === 0 || name.length > MAX_LENGTH) return undefined;
  const plain = plainly(name);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const field of known) {
    const distance = editDistance(plain, plainly(field));
    if (distance < least) [best, least] = [field, distance];
  }
  return best;
}

function plainly(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '');
}

// Levenshtein's distance, one row at a time.
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min((above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replaced));
    }
    above = current;
  }
  return above[b.length] ?? 0;
}
