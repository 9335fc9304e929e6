// SPDX-License-Identifier: Apache-2.0
import { printable, type ExpectedIdentity } from '../../trust/index.ts';
import type { PreparedAuthority, PreparedSealAuthority } from './prepared-policy.ts';

/** Who or what would satisfy an authority, for a person: one line each, and all of them are needed. None where nothing could. */
export function describeExpected(authority: PreparedAuthority): readonly string[] {
  if (authority.kind === 'static') return authority.action === 'pass' ? ['anything'] : [];
  const { signers, threshold, maxAge, source, formats, attestations } = authority;
  const who =
    signers.kind === 'keys'
      ? signers.keys.map(({ hint, algorithm }) => `the key ${hint} (${algorithm})`)
      : signers.identities.map(describeIdentity);
  const by = bySigners(who, threshold);
  const [first, ...others] = attestations;
  // of several attestations the signers are told once, behind all of them
  const what =
    first === undefined
      ? [`a signature ${by}`]
      : others.length === 0
        ? [describeAttestation(first, ` ${by}`)]
        : [...attestations.map((one) => describeAttestation(one)), `each ${by}`];
  return [
    ...what,
    ...evidenceOf(signers),
    ...(maxAge === undefined ? [] : [`not older than ${ageText(maxAge)}`]),
    ...(formats === undefined ? [] : [`in the format ${formats.join(' or ')}`]),
    ...(source?.repository === undefined ? [] : [`in ${source.repository}`]),
  ];
}

/** @example ageText(604_800_000) // '7 days' */
function ageText(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes % 1440 === 0 && minutes > 1440) return `${minutes / 1440} days`;
  return minutes % 60 === 0 && minutes > 60 ? `${minutes / 60} hours` : `${minutes} minutes`;
}

function bySigners(who: readonly string[], threshold: number): string {
  const [first, ...others] = who;
  const whom = others.length === 0 ? (first ?? 'nobody') : `one of: ${[first, ...others].join(', or ')}`;
  return threshold === 1 ? `by ${whom}` : `by ${threshold} different signers, each of them ${whom}`;
}

function describeAttestation(
  { name, predicateType, program }: PreparedSealAuthority['attestations'][number],
  by = '',
): string {
  const also = program === undefined ? '' : ', of which its policy approves';
  return `an attestation of ${printable(predicateType, 200)} (${printable(name, 60)})${by}${also}`;
}

function describeIdentity({ patterns }: ExpectedIdentity): string {
  const parts = patterns.map(([name, { exact, expression }]) => {
    const text = exact === undefined ? `matching ${printable(expression?.source ?? '', 200)}` : printable(exact, 200);
    return `${name} ${text}`;
  });
  return parts.length === 0 ? 'anybody' : parts.join(', ');
}

function evidenceOf({ evidence }: PreparedSealAuthority['signers']): readonly string[] {
  if (evidence === undefined) return [];
  return evidence.ignoreLog === true ? ['with a timestamp'] : ['entered in a log'];
}
