// SPDX-License-Identifier: Apache-2.0
import type { Attestation, Verdict } from '../../image/index.ts';
import type { PredicateFault } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import type { ImageVerdict } from './verdict-exit-code.ts';
import { sealDocument } from './verdict-json.ts';
import { explainVerdict, type VerdictWords } from './verdict-text.ts';

/**
 * An answer other than *trusted*, for people, in cosign's words.
 *
 * @param type as it was asked for
 * @param policies that must approve of all, as they were typed
 */
export function explainAttestations(
  context: Pick<CommandContext, 'color'>,
  verdict: ImageVerdict<Attestation>,
  type: string,
  policies: readonly string[] = [],
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
    ...(policies.length === 0 ? {} : dissent(verdict.verdict)),
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

/** Where all must pass: that some did not. */
function dissent({ rejected }: Verdict): Pick<VerdictWords, 'noneAccepted'> {
  const count = rejected.filter(({ code }) => code === 'predicate-refused' || code === 'predicate-malformed').length;
  if (count === 0) return {};
  const some =
    count === 1 ? 'one attestation by whom one expects does' : `${count} attestations by whom one expects do`;
  return { noneAccepted: `${some} not pass, and all must` };
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
