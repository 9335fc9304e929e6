// SPDX-License-Identifier: Apache-2.0
import type { FoundImage } from '../manifest/found-image.ts';
import { countOutcomes, messageOf, type CheckedImage, type CheckReport } from './check-report.ts';
import { shown } from './shown.ts';

/** Rows of each table; a summary of a step may have 1 MiB. */
const MAX_ROWS = 500;
const MAX_PLACES = 5;
const MARKS = { trusted: '✅', refused: '❌', undecided: '❓' } as const;
const RANK = { refused: 0, undecided: 1, trusted: 2 } as const;

/**
 * A report as GitHub's and GitLab's Markdown: a line that sums up, a table of images with what is wrong first, and what could not be read.
 * Nothing from outside is Markdown or HTML in it.
 */
export function encodeMarkdown(report: CheckReport): string {
  const { images, faults, outcome } = report;
  const { trusted, refused, undecided } = countOutcomes(images);
  const rows = images.toSorted((a, b) => RANK[a.decision.outcome] - RANK[b.decision.outcome]);
  return [
    `### ${MARKS[outcome]} Images: ${outcome}`,
    '',
    images.length === 0
      ? 'No image was found.'
      : `${images.length} ${images.length === 1 ? 'image' : 'images'}: ${trusted} trusted, ${refused} refused, ${undecided} undecided.`,
    '',
    ...(images.length === 0 ? [] : ['| | Image | Where | Why |', '|---|---|---|---|', ...cut(rows.map(rowOf)), '']),
    ...(faults.length === 0
      ? []
      : [
          '#### Not read',
          '',
          '| | Where | What |',
          '|---|---|---|',
          ...cut(
            faults.map(
              ({ severity, place, message }) =>
                `| ${severity === 'error' ? '❓' : '⚠️'} | ${code(`${place.file}:${place.line}`)} | ${text(message)} |`,
            ),
          ),
          '',
        ]),
  ].join('\n');
}

function rowOf({ decision, found }: CheckedImage): string {
  const why = decision.outcome === 'trusted' ? decision.message : messageOf(decision);
  const said = [why, ...decision.warnings.map((warning) => `warning: ${warning}`)].map(text).join('<br>');
  return `| ${MARKS[decision.outcome]} | ${code(decision.image)} | ${placesOf(found)} | ${said} |`;
}

function placesOf(found: readonly FoundImage[]): string {
  const places = found.slice(0, MAX_PLACES).map(({ place }) => code(`${place.file}:${place.line}`));
  if (found.length > MAX_PLACES) places.push(`and ${found.length - MAX_PLACES} more`);
  return places.length === 0 ? 'named' : places.join('<br>');
}

function cut(rows: readonly string[]): readonly string[] {
  return rows.length <= MAX_ROWS ? rows : [...rows.slice(0, MAX_ROWS), `| | and ${rows.length - MAX_ROWS} more | | |`];
}

/** Everything that is no letter, digit, space, slash or hyphen as a reference to its character, which starts no markup, link or mention. */
function text(from: string): string {
  return shown(from, 1000).replaceAll(/[^\p{L}\p{N} /-]/gu, (character) => `&#${character.codePointAt(0)};`);
}

function code(from: string): string {
  return `<code>${text(from)}</code>`;
}
