// SPDX-License-Identifier: Apache-2.0
import { printable, type ExpectedIdentity } from '../../trust/index.ts';
import type { PreparedAuthority, PreparedSealAuthority } from './prepared-policy.ts';

/** Who or what would satisfy an authority, for a person: one line each. */
export function describeExpected(authority: PreparedAuthority): readonly string[] {
  if (authority.kind === 'static') return [authority.action === 'pass' ? 'anything' : 'nothing'];
  const { signers, threshold, maxAge, source, formats, attestations } = authority;
  const who =
    signers.kind === 'keys'
      ? signers.keys.map(({ hint, algorithm }) => `the key ${hint} (${algorithm})`)
      : signers.identities.map(describeIdentity);
  const what = attestations.length === 0 ? ['a signature'] : attestations.map(describeAttestation);
  const count = threshold === 1 ? '' : ` by ${threshold} different signers, each of them one of:`;
  return [
    ...what.map((one) => `${one}${count}`),
    ...who.map((one) => `by ${one}`),
    ...evidenceOf(signers),
    ...(maxAge === undefined ? [] : [`not older than ${Math.round(maxAge / 60_000)} minutes`]),
    ...(formats === undefined ? [] : [`in the format ${formats.join(' or ')}`]),
    ...(source?.repository === undefined ? [] : [`in ${source.repository}`]),
  ];
}

function describeAttestation({ name, predicateType, program }: PreparedSealAuthority['attestations'][number]): string {
  const also = program === undefined ? '' : ', of which its policy approves';
  return `an attestation of ${printable(predicateType, 200)} (${printable(name, 60)})${also}`;
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
