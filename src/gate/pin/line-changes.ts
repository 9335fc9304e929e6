// SPDX-License-Identifier: Apache-2.0

/** Lines that were replaced: those of the old text from `from` to before `to` by those of the new one; either may be none. */
export interface LineChange {
  readonly from: number;
  readonly to: number;
  readonly newFrom: number;
  readonly newTo: number;
}

/** how often what lies between two anchors is divided again */
const MAX_DEPTH = 16;

interface Range extends LineChange {
  readonly depth: number;
}

/**
 * What differs between two texts, in lines and in their order. Lines that stand once in either text are what is held on to (patience diff),
 * so that the time grows with the length of the texts and not with the number of changes.
 */
export function lineChanges(before: readonly string[], after: readonly string[]): readonly LineChange[] {
  const changes: LineChange[] = [];
  const open: Range[] = [{ from: 0, to: before.length, newFrom: 0, newTo: after.length, depth: 0 }];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const rest = trimmed(range, before, after);
    if (rest.from === rest.to && rest.newFrom === rest.newTo) continue;
    const anchors =
      rest.depth < MAX_DEPTH && rest.from < rest.to && rest.newFrom < rest.newTo ? anchorsOf(rest, before, after) : [];
    // the last first: the first comes from the stack next
    if (anchors.length > 0) open.push(...between(rest, anchors).toReversed());
    else changes.push(...replaced(rest, before, after));
  }
  return changes;
}

/** Without the lines that are the same at the beginning and at the end. */
function trimmed(range: Range, before: readonly string[], after: readonly string[]): Range {
  let { from, to, newFrom, newTo } = range;
  while (from < to && newFrom < newTo && before[from] === after[newFrom]) {
    from++;
    newFrom++;
  }
  while (from < to && newFrom < newTo && before[to - 1] === after[newTo - 1]) {
    to--;
    newTo--;
  }
  return { from, to, newFrom, newTo, depth: range.depth };
}

interface Anchor {
  readonly at: number;
  readonly newAt: number;
}

/** Lines that stand once in either range, the longest row of them that is in the same order in both. */
function anchorsOf(range: Range, before: readonly string[], after: readonly string[]): readonly Anchor[] {
  const places = new Map<string, { count: number; newCount: number; at: number; newAt: number }>();
  for (let at = range.from; at < range.to; at++) {
    const line = before[at] ?? '';
    const known = places.get(line);
    if (known === undefined) places.set(line, { count: 1, newCount: 0, at, newAt: 0 });
    else known.count++;
  }
  for (let newAt = range.newFrom; newAt < range.newTo; newAt++) {
    const known = places.get(after[newAt] ?? '');
    if (known === undefined) continue;
    known.newCount++;
    known.newAt = newAt;
  }
  return longestRow([...places.values()].filter(({ count, newCount }) => count === 1 && newCount === 1));
}

/** The longest subsequence in which `newAt` grows. @param pairs in the order of `at` */
function longestRow(pairs: readonly Anchor[]): readonly Anchor[] {
  interface Link extends Anchor {
    readonly previous: Link | undefined;
  }
  // by length, the row of that length with the lowest end
  const ends: Link[] = [];
  for (const { at, newAt } of pairs) {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle]?.newAt ?? 0) < newAt) low = middle + 1;
      else high = middle;
    }
    ends[low] = { at, newAt, previous: ends[low - 1] };
  }
  const row: Anchor[] = [];
  for (let link = ends.at(-1); link !== undefined; link = link.previous) row.push(link);
  return row.toReversed();
}

function between(range: Range, anchors: readonly Anchor[]): readonly Range[] {
  const depth = range.depth + 1;
  const ranges: Range[] = [];
  let [from, newFrom] = [range.from, range.newFrom];
  for (const { at, newAt } of [...anchors, { at: range.to, newAt: range.newTo }]) {
    ranges.push({ from, to: at, newFrom, newTo: newAt, depth });
    [from, newFrom] = [at + 1, newAt + 1];
  }
  return ranges;
}

/** Nothing to hold on to: line by line where there are as many, else all of them. */
function replaced(range: Range, before: readonly string[], after: readonly string[]): readonly LineChange[] {
  const { from, to, newFrom, newTo } = range;
  if (to - from !== newTo - newFrom) return [{ from, to, newFrom, newTo }];
  const changes: LineChange[] = [];
  for (let at = from; at < to; at++) {
    const newAt = newFrom + at - from;
    if (before[at] !== after[newAt]) changes.push({ from: at, to: at + 1, newFrom: newAt, newTo: newAt + 1 });
  }
  return changes;
}
