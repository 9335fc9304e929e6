// SPDX-License-Identifier: Apache-2.0
import type { PlaceName, PlaceReport, RefusalReason, Rejection, Verdict } from '../../image/index.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import { style } from './style.ts';
import type { ImageVerdict } from './verdict-exit-code.ts';

const MAX_SHOWN = 5;

/** The words for what was looked for. */
export interface VerdictWords {
  /** what is said of each refusal. The first words are cosign's: pipelines look for them */
  readonly reasons: Readonly<Record<RefusalReason, string>>;
  /** one of them */
  readonly thing: string;
  /** what was done to the image, for example `sealed` */
  readonly done: string;
  /** how to do it */
  readonly how: string;
  /** why what was found is not enough; unless told, that none of it is accepted */
  readonly noneAccepted?: string;
}

const SIGNATURE_WORDS: VerdictWords = {
  reasons: {
    'nothing-found': 'no signatures found',
    'image-missing': 'image tag not found',
    'none-accepted': 'no matching signatures',
    'key-seals-only': 'no certificate found on signature',
  },
  thing: 'seal',
  done: 'sealed',
  how: 'seal it with: bulla sign --key cosign.key IMAGE@DIGEST',
};

const PLACES: Readonly<Record<PlaceName, string>> = {
  'referrers-api': 'referrers',
  'fallback-tag': 'referrers (fallback tag)',
  layout: 'layout',
  'signature-tag': '.sig tag',
  'attestation-tag': '.att tag',
};

/**
 * An answer other than *trusted*, for people: one line that says what and why, then each seal that was read and why it did not count,
 * then what to do.
 */
export function explainVerdict(
  context: Pick<CommandContext, 'color'>,
  { image, repository, verdict }: ImageVerdict,
  words: VerdictWords = SIGNATURE_WORDS,
): string {
  const paint = style(context.color);
  if (verdict.kind === 'trusted') return '';
  const name = verdict.digest === undefined || image.includes('@') ? image : `${image} (${verdict.digest})`;
  const lines = [`${paint.red('Error:')} ${headline(verdict, printable(name), repository, words)}`];
  for (const rejection of verdict.rejected.slice(0, MAX_SHOWN)) lines.push(`  - ${describe(rejection)}`);
  if (verdict.rejected.length > MAX_SHOWN)
    lines.push(`  - and ${verdict.rejected.length - MAX_SHOWN} more (--json lists all)`);
  if (verdict.kind === 'refused' && verdict.reason !== 'image-missing')
    lines.push(`  looked in: ${verdict.places.map(place).join(', ')}`);
  const hint = hintFor(verdict, words);
  if (hint !== undefined) lines.push(`${paint.dim('hint:')} ${hint}`);
  return `${lines.join('\n')}\n`;
}

function headline(
  verdict: Exclude<Verdict, { kind: 'trusted' }>,
  name: string,
  repository: string,
  { reasons, thing, done, noneAccepted }: VerdictWords,
): string {
  if (verdict.kind === 'undecided') {
    return `undecided: ${name}: could not find out who ${done} it: ${printable(verdict.cause.message)} [${verdict.cause.code}]`;
  }
  const reason = reasons[verdict.reason];
  if (verdict.reason === 'image-missing') return `${reason}: ${name}: ${repository} has no such image`;
  if (verdict.reason === 'nothing-found') return `${reason}: ${name}: nobody ${done} this digest`;
  const count = verdict.rejected.filter(({ code }) => code !== 'not-attestation').length;
  const found =
    count === 1
      ? `one ${thing} was found, and it is not accepted`
      : `${count} ${thing}s were found, and none is accepted`;
  return `${reason}: ${name}: ${noneAccepted ?? found}`;
}

function whyNot({ code, found, expected }: Rejection): string {
  // what a decoder found says itself what it expected
  const wanted = found.includes(', expected ') ? '' : `, expected ${printable(expected)}`;
  return `${printable(found)}${wanted} [${code}]`;
}

function describe(rejection: Rejection): string {
  const { name, manifest, index } = rejection.place;
  const where = `${PLACES[name]} ${manifest.slice(0, 19)}…${index === undefined ? '' : ` layer ${index + 1}`}`;
  return `${rejection.format} at ${where}: ${whyNot(rejection)}`;
}

function place(report: PlaceReport): string {
  const name = PLACES[report.name];
  if (report.outcome === 'read') return `${name}: ${report.read} of ${report.of} read`;
  return report.outcome === 'failed'
    ? `${name}: ${report.code}`
    : `${name}: ${report.outcome === 'absent' ? 'none' : 'not asked'}`;
}

function hintFor(verdict: Verdict, { how, done }: VerdictWords): string | undefined {
  if (verdict.kind === 'undecided')
    return 'nothing is known about the image; run it again, or see what stops the registry from answering';
  if (verdict.kind !== 'refused') return undefined;
  if (verdict.reason === 'nothing-found') return how;
  if (verdict.reason === 'key-seals-only') return `it was ${done} with a key: verify with --key`;
  return undefined;
}
