// SPDX-License-Identifier: Apache-2.0
import type { Rejection, SealCheck } from '../../trust/index.ts';
import { EXIT } from '../exit-code.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import { style } from './style.ts';
import { evidenceDocument, signerDocument } from './verdict-json.ts';

/** Why a blob is not sealed by whom one expects: what trust says, that it is an attestation, and what is wrong with that. */
export type BlobRejection = Omit<Rejection, 'code'> & {
  readonly code: Rejection['code'] | 'predicate-type-mismatch' | 'predicate-malformed' | 'predicate-refused';
};

/** What became of a blob. */
export interface BlobVerdict {
  /** as it was typed */
  readonly blob: string;
  /** `sha256:…` */
  readonly digest: string;
  /** the file that the seal was read from */
  readonly source: string;
  readonly format: 'bundle' | 'legacy';
  readonly log: 'verified' | 'ignored' | 'not checked';
  readonly check:
    | Extract<SealCheck, { kind: 'accepted' }>
    | { readonly kind: 'rejected'; readonly rejection: BlobRejection };
  readonly weakened: readonly string[];
}

/** What the process ends with. */
export function exitCodeOfBlob({ check }: BlobVerdict): number {
  if (check.kind === 'accepted') return EXIT.ok;
  return check.rejection.code === 'key-material' ? EXIT.keySealsOnly : EXIT.noneAccepted;
}

/** Why a seal was rejected; none where it was accepted. */
export function codesOfCheck(check: SealCheck): readonly string[] {
  return check.kind === 'rejected' ? [check.rejection.code] : [];
}

/** For people, on stderr. The first line of a blob that holds is cosign's: pipelines look for it. */
export function explainBlob(context: Pick<CommandContext, 'color'>, verdict: BlobVerdict): string {
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

/** What `verify-blob --json` writes. The shape is documented in docs/cli.md and kept. */
export function blobDocument(verdict: BlobVerdict, warnings: readonly string[], trust: object | null): object {
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
