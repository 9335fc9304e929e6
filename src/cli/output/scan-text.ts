// SPDX-License-Identifier: Apache-2.0
import { shown, type RunningImage, type ScanReport } from '../../gate/index.ts';
import type { CommandContext } from '../context.ts';
import { counted, imageLines } from './check-text.ts';
import { style } from './style.ts';

const MAX_RUN = 5;

/** A scan for a person: what would be refused, and what runs it; of what is trusted, the number. */
export function scanText(
  { color }: Pick<CommandContext, 'color'>,
  { images }: ScanReport,
  unread: readonly string[],
): string {
  const paint = style(color);
  const lines: string[] = [];
  for (const { decision, run } of images) {
    if (decision.outcome === 'trusted' && decision.warnings.length === 0) continue;
    lines.push(...imageLines({ decision, found: [] }, paint));
    for (const one of run.slice(0, MAX_RUN)) lines.push(`    run by ${shown(placeOf(one))}`);
    if (run.length > MAX_RUN) lines.push(`    and ${run.length - MAX_RUN} more`);
  }
  for (const fault of unread) lines.push(`${paint.red('not read')}: ${shown(fault)}`);
  const count = (outcome: string): number => images.filter(({ decision }) => decision.outcome === outcome).length;
  const objects = new Set(
    images.flatMap(({ run }) => run.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`)),
  );
  const counts = `${count('trusted')} trusted, ${count('refused')} would be refused now, ${count('undecided')} undecided`;
  lines.push(`${counted(images.length, 'image')} of ${counted(objects.size, 'object')}: ${counts}`);
  return `${lines.join('\n')}\n`;
}

function placeOf({ kind, namespace, name, field }: RunningImage): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name} (${field})`;
}
