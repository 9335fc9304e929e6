// SPDX-License-Identifier: Apache-2.0
import type { Rejection, Seal } from '../../image/index.ts';
import type { AuthorityResult, Decision, PolicyResult } from '../../policy/index.ts';
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
    ...policies.flatMap((policy) => policyLines(policy, paint)),
    ...warnings.map((warning) => `${paint.yellow('warning')}: ${printable(warning)}`),
  ];
  return `${lines.join('\n')}\n`;
}

function mark(outcome: AuthorityResult['outcome'], paint: Style): string {
  if (outcome === 'trusted') return paint.green('✓');
  if (outcome === 'refused') return paint.red('✗');
  return outcome === 'undecided' ? paint.yellow('?') : paint.dim('-');
}

function policyLines(result: PolicyResult, paint: Style): readonly string[] {
  const { outcome, policy, mode, code, message, authorities } = result;
  const only = mode === 'warn' ? ', which only warns' : '';
  return [
    `  ${mark(outcome, paint)} policy ${paint.bold(printable(policy))}${only}: ${outcome} [${code}]`,
    ...(authorities.length === 1 ? [] : [`      ${printable(message)}`]),
    ...authorities.flatMap((authority) => authorityLines(authority, paint)),
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
  if (outcome === 'refused') lines.push(`        would pass with: ${expected.map(printable).join('; ')}`);
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
