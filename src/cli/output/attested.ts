// SPDX-License-Identifier: Apache-2.0
import type { AttestedImage, MadeSeal } from '../../image/index.ts';
import type { CodedError } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';
import type { OpenedRepository } from '../flags/registry.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';
import { envelopeLine } from './envelope-line.ts';
import { reportError } from './error-line.ts';
import { evidenceText, madeEvidenceDocument, sealerDocument, type MadeEvidence } from './made-evidence.ts';
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
      `Attested ${printable(attested.predicateType)} of ${seal.digest} as ${seal.format}: ${whereOf(seal)}\n`,
    );
    if (seal.format === 'bundle' && seal.listed !== undefined && !seal.listed.raceSafe) {
      context.stderr(
        'note: this registry knows neither the referrers API nor If-Match, so it cannot exclude that somebody who attests at the same moment drops this attestation from the list; it was read back\n',
      );
    }
  }
  for (const one of evidence) context.stderr(evidenceText(one));
  if (identity !== undefined)
    context.stderr(`signer: ${printable(identity.subject)} (${printable(identity.issuer ?? '')})\n`);
  if (evidence.every(({ logEntries }) => logEntries.length === 0))
    context.stderr(
      `log: not written (${identity === undefined ? 'a key was given, and no log' : 'no log was named'})\n`,
    );
  if (toStdout) for (const seal of attested.seals) context.stdout(attestationOf(seal));
  else context.stdout(`${opened.repository.name}@${attested.digest}\n`);
}

function whereOf(seal: MadeSeal): string {
  if (seal.manifest === undefined) return 'not uploaded';
  return seal.format === 'legacy' ? `tag ${seal.tag}` : `referrer ${seal.manifest}`;
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
    log: evidence.some(({ logEntries }) => logEntries.length > 0) ? 'written' : 'not written',
    attestations: attested.seals.map((made, at) => ({
      format: made.format,
      digest: made.digest,
      manifest: made.manifest ?? null,
      ...(made.format === 'legacy' ? { tag: made.tag, existed: made.existed } : { listed: made.listed ?? null }),
      ...madeEvidenceDocument(evidence[at] ?? { logEntries: [], times: [] }),
    })),
  };
}
