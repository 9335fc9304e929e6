// SPDX-License-Identifier: Apache-2.0
import {
  messageOf,
  reasonOf,
  shown,
  type PolicyPreview,
  type PreviewChange,
  type PreviewedImage,
} from '../../gate/index.ts';
import type { CommandContext } from '../context.ts';
import { checkedDocument } from './check-json.ts';
import { counted } from './check-text.ts';
import { decisionDocument } from './decision-json.ts';
import { style, type Style } from './style.ts';

const TITLES: Readonly<Record<PreviewChange, string>> = {
  stranded: 'would be refused, and is admitted now',
  undecided: 'could not be found out',
  admitted: 'would be admitted, and is not now',
  'other-reason': 'keeps its outcome, for another reason',
  same: 'stays as it is',
};

const MAX_PLACES = 3;

/** What new policies change, for a person: what is stranded first, what stays as it is counted only. */
export function previewText({ color }: Pick<CommandContext, 'color'>, { images, counts }: PolicyPreview): string {
  const paint = style(color);
  const lines: string[] = [];
  for (const change of ['stranded', 'undecided', 'admitted', 'other-reason'] as const) {
    const changed = images.filter((image) => image.change === change);
    if (changed.length > 0) lines.push(`${painted(change, paint)} (${changed.length}): ${TITLES[change]}`);
    for (const image of changed) lines.push(...imageLines(image));
  }
  const all = (Object.keys(TITLES) as PreviewChange[]).map((change) => `${counts[change]} ${change}`);
  const found = images.length === 0 ? 'no image was found' : counted(images.length, 'image');
  lines.push(`${found}: ${all.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

function imageLines({ after, before, found }: PreviewedImage): readonly string[] {
  const places = found.slice(0, MAX_PLACES).map(({ place }) => `${shown(place.file)}:${place.line}:${place.column}`);
  if (found.length > MAX_PLACES) places.push(`and ${found.length - MAX_PLACES} more`);
  return [
    `  ${shown(after.image)}`,
    ...(places.length === 0 ? [] : [`    at ${places.join(', ')}`]),
    ...(before === undefined ? [] : [`    now  ${before.outcome} [${reasonOf(before)}]`]),
    `    then ${after.outcome} [${reasonOf(after)}]`,
    ...(after.outcome === 'trusted' ? [] : [`    ${messageOf(after)}`]),
  ];
}

function painted(change: PreviewChange, paint: Style): string {
  if (change === 'stranded') return paint.red(change);
  return change === 'admitted' ? paint.green(change) : paint.yellow(change);
}

/** The same in JSON. The shape is documented in docs/cli.md and kept. */
export function previewDocument({ images, counts }: PolicyPreview): object {
  return {
    counts,
    images: images.map(({ change, after, before, found }) => ({
      change,
      before: before === undefined ? null : decisionDocument(before),
      ...checkedDocument({ decision: after, found }),
    })),
  };
}
