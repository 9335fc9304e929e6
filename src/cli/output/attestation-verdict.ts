// SPDX-License-Identifier: Apache-2.0
import type { Attestation, Verdict } from '../../image/index.ts';
import type { PredicateFault } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import type { ImageVerdict } from './verdict-exit-code.ts';
import { sealDocument } from './verdict-json.ts';
import { explainVerdict } from './verdict-text.ts';

/**
 * An answer other than *trusted*, for people, in cosign's words.
 *
 * @param type as it was asked for
 */
export function explainAttestations(
  context: Pick<CommandContext, 'color'>,
  verdict: ImageVerdict<Attestation>,
  type: string,
): string {
  const others = otherTypes(verdict.verdict);
  const refused =
    others.length === 0
      ? 'no matching attestations'
      : `none of the attestations matched the predicate type: ${printable(type)}, found: ${others.map(printable).join(',')}`;
  return explainVerdict(context, verdict, {
    reasons: {
      'nothing-found': 'no matching attestations',
      'image-missing': 'image tag not found',
      'none-accepted': refused,
      'key-seals-only': 'no matching attestations: no certificate found on signature',
    },
    thing: 'attestation',
    done: 'attested',
    how: `attest it with: bulla attest --key cosign.key --type ${printable(type)} --predicate FILE IMAGE@DIGEST`,
  });
}

/** The types of what was found, where that alone is why it was not accepted. */
function otherTypes(verdict: Verdict<Attestation>): readonly string[] {
  const found = verdict.rejected.filter(({ code }) => code !== 'not-attestation');
  return found.every(({ code }) => code === 'predicate-type-mismatch')
    ? [...new Set(found.map((rejection) => rejection.found))].slice(0, 10)
    : [];
}

/** An accepted attestation in JSON: what a seal has, and what was attested. */
export function attestationDocument(attestation: Attestation): object {
  const { statement, faults } = attestation;
  return {
    ...sealDocument(attestation),
    predicateType: statement.predicateType,
    statement: {
      type: statement.type,
      subjects: statement.subjects.map(({ name, digest }) => ({ name: name ?? null, digest })),
      predicate: statement.predicate ?? null,
    },
    faults: faults satisfies readonly PredicateFault[],
  };
}
