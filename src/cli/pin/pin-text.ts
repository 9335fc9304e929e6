// SPDX-License-Identifier: Apache-2.0
import { shown, type CheckedImage, type Drift, type FoundImage } from '../../gate/index.ts';
import { imageLines } from '../output/check-text.ts';
import { style, type Style } from '../output/style.ts';
import type { PinSummary } from './pin-summary.ts';

/** more places of one image are counted and not listed */
const MAX_PLACES = 3;

/** What was done about each image, for a person. */
export function pinTable(color: boolean, images: readonly PinSummary[]): string {
  const paint = style(color);
  return images.map((image) => `${entryOf(image, paint).join('\n')}\n`).join('');
}

function entryOf(summary: PinSummary, paint: Style): readonly string[] {
  const { image, becomes, action, decision, newer, why, found } = summary;
  const name = paint.bold(shown(image, 400));
  if (decision.outcome !== 'trusted') return imageLines({ decision, found }, paint);
  const lines: string[] = [];
  if (why !== undefined) lines.push(`${paint.yellow('-')} ${name} trusted, and left: ${shown(why)}`);
  else lines.push(`${paint.green('✓')} ${name} ${action}`);
  if (action === 'pinned' || action === 'updated') lines.push(`    ${paint.dim(shown(becomes, 600))}`);
  lines.push(placeLine(found, paint));
  // a policy that only warns, an exception: not to be passed over for being trusted
  for (const warning of decision.warnings) lines.push(`    ${paint.yellow('warning')}: ${shown(warning)}`);
  // what stands in the file is kept: what its tag is now is not trusted
  return newer === undefined ? lines : [...lines, ...imageLines({ decision: newer, found: [] }, paint).map(indented)];
}

function indented(line: string): string {
  return `    ${line}`;
}

/** How files and lock differ, and what is not trusted, for a person. */
export function checkTable(color: boolean, drifts: readonly Drift[], images: readonly CheckedImage[]): string {
  const paint = style(color);
  const lines = images
    .filter(({ decision: { outcome, warnings } }) => outcome !== 'trusted' || warnings.length > 0)
    .flatMap((image) => imageLines(image, paint));
  for (const { code, image, place, message } of drifts) {
    lines.push(`${paint.red('✗')} ${paint.bold(shown(image, 400))} ${shown(message)} [${code}]`);
    if (place !== undefined) lines.push(`    ${paint.dim(`at ${shown(place.file)}:${place.line}:${place.column}`)}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function placeLine(found: readonly FoundImage[], paint: Style): string {
  const places = found.slice(0, MAX_PLACES).map(({ place }) => `${shown(place.file)}:${place.line}:${place.column}`);
  if (found.length > MAX_PLACES) places.push(`and ${found.length - MAX_PLACES} more`);
  return `    ${paint.dim(`at ${places.join(', ')}`)}`;
}

/** `3 images`, `1 image`. */
export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
