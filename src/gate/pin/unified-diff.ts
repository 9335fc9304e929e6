// SPDX-License-Identifier: Apache-2.0
import { lineChanges, type LineChange } from './line-changes.ts';

const CONTEXT = 3;

/**
 * What would change in a file, as `git apply` and `patch -p1` take it. Empty where nothing would.
 *
 * @param name with `/`, relative to where it will be applied
 * @param before what is there; undefined where there is no such file
 * @see https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
 */
export function unifiedDiff(name: string, before: string | undefined, after: string): string {
  if (before === after) return '';
  const [oldLines, newLines] = [linesOf(before ?? ''), linesOf(after)];
  const hunks = hunksOf(lineChanges(oldLines, newLines));
  const old = before === undefined ? '/dev/null' : shownName(`a/${name}`);
  return [
    `--- ${old}\n`,
    `+++ ${shownName(`b/${name}`)}\n`,
    ...hunks.map((hunk) => format(hunk, oldLines, newLines)),
  ].join('');
}

/** Lines with their ends. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Changes that are so near each other that they are shown together. */
function hunksOf(changes: readonly LineChange[]): readonly (readonly LineChange[])[] {
  const hunks: LineChange[][] = [];
  for (const change of changes) {
    const hunk = hunks.at(-1);
    const last = hunk?.at(-1);
    if (hunk !== undefined && last !== undefined && change.from - last.to <= 2 * CONTEXT) hunk.push(change);
    else hunks.push([change]);
  }
  return hunks;
}

function format(hunk: readonly LineChange[], before: readonly string[], after: readonly string[]): string {
  const [first, last] = [hunk[0], hunk.at(-1)];
  if (first === undefined || last === undefined) return '';
  const lead = Math.min(CONTEXT, first.from);
  const end = Math.min(last.to + CONTEXT, before.length);
  const lines: string[] = [];
  let at = first.from - lead;
  const show = (sign: string, from: readonly string[], start: number, to: number): void => {
    for (let line = start; line < to; line++) lines.push(lineOf(sign, from[line] ?? ''));
  };
  for (const { from, to, newFrom, newTo } of hunk) {
    show(' ', before, at, from);
    show('-', before, from, to);
    show('+', after, newFrom, newTo);
    at = to;
  }
  show(' ', before, at, end);
  const grown = hunk.reduce((sum, { from, to, newFrom, newTo }) => sum + newTo - newFrom - (to - from), 0);
  const count = end - (first.from - lead);
  const header = `@@ -${range(first.from - lead, count)} +${range(first.newFrom - lead, count + grown)} @@\n`;
  return header + lines.join('');
}

function lineOf(sign: string, line: string): string {
  return line.endsWith('\n') ? sign + line : `${sign}${line}\n\\ No newline at end of file\n`;
}

/** Lines are counted from 1; no lines at all stand behind the line before them. */
function range(from: number, count: number): string {
  return count === 0 ? `${from},0` : `${from + 1},${count}`;
}

/** A name as git writes it: quoted where it could be misread. */
function shownName(name: string): string {
  if (/["\\\p{Cc}]/u.test(name))
    return `"${name.replace(/["\\\p{Cc}]/gu, (character) => ESCAPES.get(character) ?? octal(character))}"`;
  return name.includes(' ') ? `${name}\t` : name;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\t', '\\t'],
]);

function octal(character: string): string {
  return [...new TextEncoder().encode(character)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}
