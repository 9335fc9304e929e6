// SPDX-License-Identifier: Apache-2.0
import type { AttestedImage, MadeSeal } from '../../image/index.ts';
import type { CodedError } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';
import type { OpenedRepository } from '../flags/registry.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';
import { envelopeLine } from './envelope-line.ts';
import { reportError } from './error-line.ts';
import { logOf, sealerDocument, witnessText, type MadeEvidence } from './made-evidence.ts';
import { laidText, madeSealDocument, raceText } from './made-seals.ts';
import { printable } from './printable.ts';

/** One image of an `attest`, with what was made for it, or why nothing was. */
export type AttestOutcome = { readonly image: string; readonly opened: OpenedRepository } & (
  | { readonly attested: AttestedImage; readonly evidence: readonly MadeEvidence[] }
  | { readonly error: CodedError }
);

/**
 * What was attested, for people on stderr, and the image as name@digest on stdout.
 *
 * @param toStdout the attestation was laid nowhere: it goes to stdout itself, as cosign 2 does it
 */
export function reportAttested(
  context: Pick<CommandContext, 'stdout' | 'stderr'>,
  { opened, attested, evidence }: Extract<AttestOutcome, { readonly attested: AttestedImage }>,
  { identity }: SigningPlan,
  toStdout: boolean,
): void {
  for (const seal of attested.seals) {
    context.stderr(
      `Attested ${printable(attested.predicateType)} of ${seal.digest} as ${seal.format}: ${laidText(seal)}\n`,
    );
    context.stderr(raceText(seal, { does: 'attests', thing: 'attestation' }));
  }
  context.stderr(witnessText(evidence, identity));
  if (toStdout) for (const seal of attested.seals) context.stdout(attestationOf(seal));
  else context.stdout(`${opened.repository.name}@${attested.digest}\n`);
}

function attestationOf(seal: MadeSeal): string {
  if (seal.format === 'legacy') return `${new TextDecoder().decode(seal.payload)}\n`;
  return envelopeLine(seal.bundle.content, 'bundle');
}

/** What `attest --json` writes. The shape is documented in docs/cli.md and kept. */
export function attestDocument(
  outcomes: readonly AttestOutcome[],
  exitCode: number,
  warnings: readonly string[],
  { signer, identity }: SigningPlan,
): object {
  return {
    exitCode,
    signer: sealerDocument(signer, identity),
    images: outcomes.map(imageDocument),
    warnings,
  };
}

function imageDocument(outcome: AttestOutcome): object {
  const { image, opened } = outcome;
  const repository = opened.repository.name;
  if ('error' in outcome) return { image, repository, error: reportError(outcome.error) };
  const { attested, evidence } = outcome;
  return {
    image,
    repository,
    digest: attested.digest,
    predicateType: attested.predicateType,
    log: logOf(evidence),
    attestations: attested.seals.map((made, at) => madeSealDocument(made, evidence[at])),
  };
}
