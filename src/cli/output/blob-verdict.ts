// SPDX-License-Identifier: Apache-2.0
import { weakeningsOf } from '../../image/index.ts';
import type { Artifact, Rejection, SealCheck } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { describeArtifact } from '../file/read-blob.ts';
import type { BlobSeal } from '../flags/blob-seal.ts';
import type { LoadedSigners } from '../flags/expected-signers.ts';
import { writeJson } from './json-document.ts';
import { printable } from './printable.ts';
import { style } from './style.ts';
import { trustDocument } from './trust-origin.ts';
import { evidenceDocument, logWordOf, signerDocument, type LogWord } from './verdict-json.ts';

/** Why a blob is not sealed by whom one expects: what trust says, that it is an attestation, and what is wrong with that. */
export type BlobRejection = Omit<Rejection, 'code'> & {
  readonly code: Rejection['code'] | 'predicate-type-mismatch' | 'predicate-malformed' | 'predicate-refused';
};

/** What became of the seal of a blob. */
export type BlobCheck =
  | Extract<SealCheck, { kind: 'accepted' }>
  | { readonly kind: 'rejected'; readonly rejection: BlobRejection };

/** What is said of a blob. */
interface BlobVerdict {
  /** as it was typed */
  readonly blob: string;
  /** `sha256:…` */
  readonly digest: string;
  /** the file that the seal was read from */
  readonly source: string;
  readonly format: 'bundle' | 'legacy';
  readonly log: LogWord;
  readonly check: BlobCheck;
  readonly weakened: readonly string[];
}

/** What a seal was judged by, and what became of it. */
interface JudgedBlob {
  /** as it was typed; empty where its digest alone was given */
  readonly name: string;
  readonly artifact: Artifact;
  readonly seal: BlobSeal;
  readonly asked: LoadedSigners;
  readonly check: BlobCheck;
  /** false where any blob will do */
  readonly checkClaims?: boolean;
}

/**
 * Says what became of a blob: on stderr, or in JSON on stdout. The shape of that is documented in docs/cli.md and kept.
 *
 * @param more what else the document has
 * @returns the exit code
 */
export function reportBlob(context: CommandContext, judged: JudgedBlob, more: object = {}): number {
  const { origin } = judged.asked;
  const verdict = verdictOf(judged);
  if (context.json) {
    writeJson(context, { ...blobDocument(verdict, context.warnings, trustDocument(origin)), ...more });
  } else {
    if (origin !== undefined) context.stderr(`trust: ${origin.text}\n`);
    context.stderr(explainBlob(context, verdict));
  }
  return exitCodeOfBlob(verdict);
}

function verdictOf({ name, artifact, seal, asked: { signers }, check, checkClaims = true }: JudgedBlob): BlobVerdict {
  const digest = describeArtifact(artifact);
  const { source, format } = seal;
  const weakened = weakeningsOf({ signers, checkClaims });
  return { blob: name === '' ? digest : name, digest, source, format, log: logWordOf(signers), check, weakened };
}

/** What the process ends with. */
function exitCodeOfBlob({ check }: BlobVerdict): number {
  if (check.kind === 'accepted') return EXIT.ok;
  return check.rejection.code === 'key-material' ? EXIT.keySealsOnly : EXIT.noneAccepted;
}

/** Why a seal was rejected; none where it was accepted. */
export function codesOfCheck(check: SealCheck): readonly string[] {
  return check.kind === 'rejected' ? [check.rejection.code] : [];
}

/** For people, on stderr. The first line of a blob that holds is cosign's: pipelines look for it. */
function explainBlob(context: Pick<CommandContext, 'color'>, verdict: BlobVerdict): string {
  const { check, log } = verdict;
  const paint = style(context.color);
  if (check.kind === 'accepted') {
    const lines = ['Verified OK'];
    if (check.signer.kind === 'identity') {
      const { subject, claims } = check.signer.identity;
      lines.push(`signer: ${printable(subject)}${claims.issuer === undefined ? '' : ` (${printable(claims.issuer)})`}`);
    }
    if (log === 'not checked') lines.push('log: not checked (a key was given, and no trusted root)');
    if (log === 'ignored') lines.push('log: not checked (--insecure-ignore-tlog)');
    return `${lines.join('\n')}\n`;
  }
  const { code, found, expected } = check.rejection;
  const why = `${printable(found)}, expected ${printable(expected)} [${code}]`;
  // The first words are cosign's of an image: what looks for a refusal finds it.
  const refusal = code === 'key-material' ? 'no certificate found on signature' : 'no matching signatures';
  const whose = `${printable(verdict.blob)} (${verdict.digest}): the seal in ${printable(verdict.source)} is not accepted`;
  return `${paint.red('Error:')} ${refusal}: ${whose}: ${why}\n`;
}

function blobDocument(verdict: BlobVerdict, warnings: readonly string[], trust: object | null): object {
  const { blob, digest, source, format, log, check, weakened } = verdict;
  return {
    exitCode: exitCodeOfBlob(verdict),
    blob,
    digest,
    outcome: check.kind === 'accepted' ? 'trusted' : 'refused',
    seal: {
      source,
      format,
      ...(check.kind === 'accepted'
        ? {
            signer: signerDocument(check.signer),
            scheme: check.scheme,
            log,
            ...(check.evidence === undefined ? {} : evidenceDocument(check.evidence)),
          }
        : {}),
    },
    rejection: check.kind === 'accepted' ? null : check.rejection,
    trust,
    weakened,
    warnings,
  };
}
