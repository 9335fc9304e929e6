// SPDX-License-Identifier: Apache-2.0
import type { Rejection, Seal } from '../../image/index.ts';
import type { AuthorityResult, Decision, PlatformResult, PolicyResult, SignerName } from '../../policy/index.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import { style, type Style } from './style.ts';

/** A decision for a person: which policies, which authority, which evidence, the nearest miss, and what would make it pass. */
export function explainDecision({ color }: Pick<CommandContext, 'color'>, decision: Decision): string {
  const paint = style(color);
  const { image, digest, outcome, code, message, policies, warnings, policyHash } = decision;
  const lines = [
    `${mark(outcome, paint)} ${paint.bold(printable(image))}: ${outcome} [${code}]`,
    ...(digest === undefined || image.endsWith(digest) ? [] : [`  digest ${digest}`]),
    `  ${printable(message)}`,
    `  policies ${policyHash}`,
    ...exceptionLines(decision, paint),
    ...summaryLines(decision, paint),
    ...policies.flatMap((policy) => policyLines(policy, paint)),
    ...reuseLines(decision),
    ...warnings.map((warning) => `${paint.yellow('warning')}: ${printable(warning)}`),
  ];
  return `${lines.join('\n')}\n`;
}

// An exception is what a reader must not overlook.
function exceptionLines({ exceptions, nearestException }: Decision, paint: Style): readonly string[] {
  const lines = exceptions.flatMap((exception) => [
    `  ${paint.bold(paint.yellow('EXCEPTION'))} lifts ${exception.policies.map(printable).join(', ')} until ${exception.expires.toISOString()}`,
    `      approved by ${printable(exception.approver)}, signed by ${printable(nameOf(exception.signer))} (${printable(exception.source)})`,
    `      reason: ${printable(exception.reason)}`,
  ]);
  if (nearestException === undefined) return lines;
  const { code, source, found, expected } = nearestException;
  return [
    ...lines,
    `  nearest exception [${code}] in ${printable(source)}: ${printable(found)}, expected ${printable(expected)}`,
  ];
}

function summaryLines({ summary, nearestSummary }: Decision, paint: Style): readonly string[] {
  if (summary !== undefined)
    return [
      `  ${paint.bold('SUMMARY')} ${summary.digest} by ${printable(summary.verifier)}, signed by ${printable(nameOf(summary.signer))}`,
      `      verified ${summary.timeVerified.toISOString()}, counts until ${summary.validUntil.toISOString()}`,
    ];
  if (nearestSummary === undefined) return [];
  const { code, found, expected } = nearestSummary;
  return [`  nearest summary [${code}]: ${printable(found)}, expected ${printable(expected)}`];
}

function reuseLines({ validUntil, readsClock }: Decision): readonly string[] {
  if (readsClock) return ['  a policy reads the clock: this holds for now'];
  return validUntil === undefined ? [] : [`  holds until ${validUntil.toISOString()}, when an age or expiry changes`];
}

function nameOf(signer: SignerName): string {
  return signer.kind === 'key' ? `the key ${signer.key}` : `${signer.subject} (issuer ${signer.issuer ?? 'unknown'})`;
}

function mark(outcome: AuthorityResult['outcome'], paint: Style): string {
  if (outcome === 'trusted') return paint.green('✓');
  if (outcome === 'refused') return paint.red('✗');
  return outcome === 'undecided' ? paint.yellow('?') : paint.dim('-');
}

function policyLines(result: PolicyResult, paint: Style): readonly string[] {
  const { outcome, policy, mode, code, message, authorities, platforms = [] } = result;
  const only = { enforce: '', warn: ', which only warns', audit: ', which is only audited' }[mode];
  return [
    `  ${mark(outcome, paint)} policy ${paint.bold(printable(policy))}${only}: ${outcome} [${code}]`,
    ...(authorities.length === 1 && platforms.length === 0 ? [] : [`      ${printable(message)}`]),
    ...authorities.flatMap((authority) => authorityLines(authority, paint)),
    ...platforms.flatMap((platform) => platformLines(platform, paint)),
  ];
}

function platformLines(
  { platform, digest, outcome, code, authorities }: PlatformResult,
  paint: Style,
): readonly string[] {
  return [
    `    ${mark(outcome, paint)} platform ${paint.bold(printable(platform))} ${digest}: ${outcome} [${code}]`,
    ...authorities.flatMap((authority) => authorityLines(authority, paint)).map((line) => `  ${line}`),
  ];
}

function authorityLines(result: AuthorityResult, paint: Style): readonly string[] {
  const { outcome, name, kind, code, message, seals, attestations, nearest, expected } = result;
  const lines = [
    `    ${mark(outcome, paint)} authority ${printable(name)} (${kind}): ${outcome} [${code}]`,
    `        ${printable(message)}`,
    ...seals.map(sealLine),
  ];
  for (const one of attestations) {
    lines.push(
      `        ${mark(one.outcome, paint)} attestation ${printable(one.name)}, ${printable(one.predicateType)}: ${one.outcome} [${one.code}]`,
    );
    lines.push(...one.seals.map(sealLine));
  }
  if (nearest !== undefined) lines.push(...nearestLines(nearest));
  // nothing that is laid beside an image helps where there is none
  if (outcome === 'refused' && code !== 'image-missing' && expected.length > 0)
    lines.push(`        would pass with: ${expected.map(printable).join('; ')}`);
  return lines;
}

function nearestLines({ code, found, expected, place }: Rejection): readonly string[] {
  return [
    `        nearest miss [${code}] at ${place.layer ?? place.manifest} (${place.name})`,
    `          found    ${printable(found)}`,
    `          expected ${printable(expected)}`,
  ];
}

function sealLine({ signer, place, format }: Seal): string {
  const who =
    signer.kind === 'key'
      ? `key ${signer.key.hint}`
      : `${signer.identity.subject} (issuer ${signer.identity.claims.issuer ?? 'unknown'})`;
  return `          ${printable(who)}, ${format} ${place.layer ?? place.manifest} (${place.name})`;
}
