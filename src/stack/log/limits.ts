// SPDX-License-Identifier: Apache-2.0
import type { NewEntry, Search } from './append-log.ts';
import { LogError } from './log-error.ts';

/** bytes of a leaf: entry tiles count them in 16 bits. @see https://c2sp.org/tlog-tiles#log-entries */
const MAX_LEAF_BYTES = 65_535;
/** bytes beside a leaf */
const MAX_EXTRA_BYTES = 1_048_576;
const MAX_TERMS = 256;
/** characters */
const MAX_TERM_LENGTH = 1024;
const IDENTITY_BYTES = 32;
/** entries, or places, that one call answers */
export const MAX_ANSWERED = 1000;

/** Whether a log can keep this. @throws LogError `entry-malformed` */
export function requireEntry({ leaf, identity, extra, terms }: NewEntry): void {
  const found =
    leaf.length > MAX_LEAF_BYTES
      ? `${leaf.length} bytes, at most ${MAX_LEAF_BYTES} fit in a tile`
      : identity.length !== IDENTITY_BYTES
        ? `an identity of ${identity.length} bytes, expected ${IDENTITY_BYTES}`
        : (extra?.length ?? 0) > MAX_EXTRA_BYTES
          ? `${extra?.length} bytes beside it, at most ${MAX_EXTRA_BYTES} are kept`
          : terms.length > MAX_TERMS
            ? `${terms.length} search terms, at most ${MAX_TERMS} are kept`
            : terms.some((term) => !isTerm(term))
              ? `a search term that is empty, longer than ${MAX_TERM_LENGTH} characters, not in lower case or no text`
              : undefined;
  if (found !== undefined) throw new LogError('entry-malformed', `the entry has ${found}`);
}

/** Whether this can be searched for. @throws LogError `search-malformed`, `tree-range` */
export function requireSearch({ terms, limit, after = -1 }: Search): void {
  if (terms.length === 0 || terms.length > MAX_TERMS || !terms.every(isTerm))
    throw new LogError(
      'search-malformed',
      `a search for ${terms.length} terms, expected 1 to ${MAX_TERMS} of 1 to ${MAX_TERM_LENGTH} characters in lower case`,
    );
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_ANSWERED)
    throw new LogError('search-malformed', `a search for ${limit} entries, expected 1 to ${MAX_ANSWERED}`);
  if (!Number.isSafeInteger(after) || after < -1) throw new LogError('tree-range', `there is no entry ${after}`);
}

/** Whether there can be entries there. @throws LogError `tree-range` */
export function requireRange(from: number, count: number): void {
  if (!Number.isSafeInteger(from) || from < 0 || !Number.isSafeInteger(count) || count < 0)
    throw new LogError('tree-range', `there are no ${count} entries from ${from} on`);
}

/** Whether the second tree can follow the first in a tree of this size. @throws LogError `tree-range` */
export function requireSizes(first: number, second: number, size: number): void {
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || first < 0 || first > second || second > size)
    throw new LogError('tree-range', `no tree of ${second} leaves follows one of ${first} in a log of ${size}`);
}

function isTerm(term: string): boolean {
  return (
    term.length > 0 &&
    term.length <= MAX_TERM_LENGTH &&
    term === term.toLowerCase() &&
    term.isWellFormed() &&
    !term.includes('\0')
  );
}
