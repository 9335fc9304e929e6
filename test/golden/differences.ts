// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDEN, type RecordedCommand } from './transcript.ts';

/** Where the deliberate differences are named, for people and for these tests. */
const DIFFERENCES_FILE = join(GOLDEN, '..', '..', 'docs', 'cosign-differences.md');

/** How bulla ends, and whether what it prints on stdout is other than what cosign prints. */
export interface Ending {
  readonly exit: number;
  readonly otherOutput: boolean;
}

/** One row of the table: what cosign did, what bulla does instead, and why. */
export interface Difference {
  readonly row: number;
  /** globs of case names */
  readonly cases: readonly string[];
  /** the verb, and words that must stand in the command line; `*` stands for anything */
  readonly words: readonly string[];
  /** the commands by their place in the transcript; all that have the words where it is empty */
  readonly places: readonly number[];
  /** recorded exit codes by program; absent where that version did not run it, or bulla does the same */
  readonly cosign: Readonly<Record<string, number | undefined>>;
  readonly bulla: Ending;
  readonly why: string;
}

/** The rows of the first table whose head begins with `Recorded case`. */
export function readDifferences(text: string = readFileSync(DIFFERENCES_FILE, 'utf8')): readonly Difference[] {
  const lines = text.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| Recorded case'));
  if (head === -1) throw new Error('no table of differences');
  const end = lines.findIndex((line, at) => at > head && !line.startsWith('|'));
  return lines.slice(head + 2, end === -1 ? undefined : end).map((line, at) => parseRow(line, at + 1));
}

function parseRow(line: string, row: number): Difference {
  const cells = line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
  const [cases = '', command = '', two = '', three = '', bulla = '', why = ''] = cells;
  if (cells.length !== 6 || why === '') throw new Error(`row ${row} has ${cells.length} cells or no reason: ${line}`);
  const ending = parseEnding(bulla, row);
  if (ending === undefined) throw new Error(`row ${row} does not say what bulla does: ${line}`);
  return {
    row,
    cases: [...cases.matchAll(/`([^`]+)`/g)].map(([, glob = '']) => glob),
    words: /`([^`]+)`/.exec(command)?.[1]?.split(' ') ?? [],
    places: [...command.matchAll(/#(\d+)/g)].map(([, place]) => Number(place)),
    cosign: { 'cosign-2.5.0': parseEnding(two, row)?.exit, 'cosign-3.1.1': parseEnding(three, row)?.exit },
    bulla: ending,
    why,
  };
}

/** `12`, or `0*` where the output differs too; `–` for none. */
function parseEnding(cell: string, row: number): Ending | undefined {
  if (cell === '–') return undefined;
  const [, exit, star] = /^(\d+)(\*?)$/.exec(cell) ?? [];
  if (exit === undefined) throw new Error(`row ${row}: '${cell}' is no exit code`);
  return { exit: Number(exit), otherOutput: star === '*' };
}

/** The exit code that was recorded. The one remark without one tells of a failure. */
export function recordedExit(command: RecordedCommand): number {
  return command.outcome?.exit ?? 1;
}

/** The rows that speak of a command; there must be at most one. */
export function differencesFor(rows: readonly Difference[], command: RecordedCommand): readonly Difference[] {
  return rows.filter(
    ({ cases, words, places, cosign }) =>
      cosign[command.program] === recordedExit(command) &&
      cases.some((pattern) => matches(command.case, pattern)) &&
      (places.length === 0 || places.includes(command.at)) &&
      words[0] === command.args[0] &&
      words.every((word) => command.args.some((arg) => matches(arg, word))),
  );
}

/** `*` stands for anything. */
export function matches(text: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w ]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
