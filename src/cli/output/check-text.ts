// SPDX-License-Identifier: Apache-2.0
import { countOutcomes, shown, type CheckedImage, type CheckReport, type ManifestFault } from '../../gate/index.ts';
import type { Outcome, PolicyResult } from '../../policy/index.ts';
import type { CommandContext } from '../context.ts';
import { style, type Style } from './style.ts';

const MAX_PLACES = 3;

/** What came of a check for a person: a line an image, below it where it stands and what is wrong; then what could not be read. */
export function checkText({ color }: Pick<CommandContext, 'color'>, report: CheckReport): string {
  const paint = style(color);
  const { images, faults, passedOver } = report;
  const { trusted, refused, undecided } = countOutcomes(images);
  const lines = images.flatMap((image) => imageLines(image, paint));
  lines.push(...faults.map((fault) => faultLine(fault, paint)));
  const unread = faults.filter(({ severity }) => severity === 'error').length;
  const counts = [`${trusted} trusted`, `${refused} refused`, `${undecided} undecided`];
  if (unread > 0) counts.push(`${unread} not read`);
  if (passedOver.length > 0) counts.push(`no manifests: ${counted(passedOver.length, 'file')}`);
  const found = images.length === 0 ? 'no image was found' : counted(images.length, 'image');
  lines.push(`${mark(report.outcome, paint)} ${found}: ${counts.join(', ')}`);
  lines.push(...hintsOf(report).map((hint) => `${paint.dim('hint:')} ${hint}`));
  return `${lines.join('\n')}\n`;
}

/** What to do next, where what was found does not say it by itself. */
function hintsOf({ images, faults, outcome }: CheckReport): readonly string[] {
  const hints: string[] = [];
  if (images.some(({ decision: { code, outcome: one } }) => code === 'no-policy-matches' && one === 'refused'))
    hints.push('bulla policy check FILE lists the images that policies are about');
  if (faults.some(({ severity, code }) => severity === 'error' && code === 'variable-unset'))
    hints.push('--variable NAME=VALUE gives a variable a value');
  if (images.length === 0 && outcome !== 'trusted') hints.push('--allow-empty, if nothing that names an image is well');
  return hints;
}

/** @example counted(1, 'image') // '1 image' */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** What could not be read, in one line. */
function faultLine({ severity, code, place, message }: ManifestFault, paint: Style): string {
  const kind = severity === 'error' ? paint.red('not read') : paint.yellow('warning');
  const field = place.field === '' ? '' : `${shown(place.field)}: `;
  return `${kind}: ${shown(place.file)}:${place.line}:${place.column}: ${field}${shown(message)} [${code}]`;
}

/** Lines about what could not be read. */
export function faultsText({ color }: Pick<CommandContext, 'color'>, faults: readonly ManifestFault[]): string {
  return faults.map((fault) => `${faultLine(fault, style(color))}\n`).join('');
}

/** One image, with its reasons where it is not trusted. */
export function imageLines({ decision, found }: CheckedImage, paint: Style): readonly string[] {
  const { image, digest, outcome, message, policies, warnings, nearest, cause } = decision;
  // what an anchor stands for is in one place, however often it is run
  const all = [...new Set(found.map(({ place }) => `${shown(place.file)}:${place.line}:${place.column}`))];
  const places = all.slice(0, MAX_PLACES);
  if (all.length > MAX_PLACES) places.push(`and ${all.length - MAX_PLACES} more`);
  const lines = [`${mark(outcome, paint)} ${paint.bold(shown(image))} ${outcome}`];
  if (digest !== undefined && !image.endsWith(digest)) lines.push(`    ${paint.dim(digest)}`);
  if (places.length > 0) lines.push(`    ${paint.dim(`at ${places.join(', ')}`)}`);
  for (const warning of warnings) lines.push(`    ${paint.yellow('warning')}: ${shown(warning)}`);
  if (outcome === 'trusted') return lines;
  lines.push(`    ${shown(message)} [${decision.code}]`);
  if (cause !== undefined && !message.includes(cause.message))
    lines.push(`    ${shown(cause.message)} [${cause.code}]`);
  if (nearest !== undefined)
    lines.push(
      `    nearest miss [${nearest.code}]`,
      `      found    ${shown(nearest.found)}`,
      `      expected ${shown(nearest.expected)}`,
    );
  for (const policy of policies)
    if (policy.outcome === 'refused' && policy.mode === 'enforce') lines.push(...wantedBy(policy));
  return lines;
}

/** What would satisfy a policy: of its authorities one is enough, and of what that expects all is needed. */
function wantedBy({ policy, authorities }: PolicyResult): readonly string[] {
  const ways = authorities
    // nothing that is laid beside an image helps where there is none
    .filter(({ outcome, code, expected }) => outcome === 'refused' && code !== 'image-missing' && expected.length > 0)
    .map(({ expected }) => expected.map((one) => shown(one)).join('; '));
  return ways.length === 0 ? [] : [`    ${shown(policy)} would pass with: ${[...new Set(ways)].join(', or ')}`];
}

function mark(outcome: Outcome, paint: Style): string {
  if (outcome === 'trusted') return paint.green('✓');
  return outcome === 'refused' ? paint.red('✗') : paint.yellow('?');
}
