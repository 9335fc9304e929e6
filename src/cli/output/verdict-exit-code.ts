// SPDX-License-Identifier: Apache-2.0
import type { RefusalReason, Seal, Verdict } from '../../image/index.ts';
import { EXIT } from '../exit-code.ts';

/** One image of a `verify` or `verify-attestation`, with its answer. */
export interface ImageVerdict<S extends Seal = Seal> {
  /** as it was typed */
  readonly image: string;
  /** `registry/repository`, or the path of a layout */
  readonly repository: string;
  readonly verdict: Verdict<S>;
}

const OF_REFUSAL: Readonly<Record<RefusalReason, number>> = {
  'nothing-found': EXIT.nothingFound,
  'image-missing': EXIT.missing,
  'none-accepted': EXIT.noneAccepted,
  'key-seals-only': EXIT.keySealsOnly,
};

/** The exit code for one answer. */
export function exitCodeOfVerdict(verdict: Verdict): number {
  if (verdict.kind === 'trusted') return EXIT.ok;
  return verdict.kind === 'undecided' ? EXIT.undecided : OF_REFUSAL[verdict.reason];
}

/** The exit code for several images: the first refusal's, else *undecided*, else 0. */
export function exitCodeOfVerdicts(verdicts: readonly ImageVerdict[]): number {
  return exitCodeOfAll(verdicts.map(({ verdict }) => exitCodeOfVerdict(verdict)));
}

/** Of several exit codes the first that says no, else *undecided*, else 0. */
export function exitCodeOfAll(codes: readonly number[]): number {
  return (
    codes.find((code) => code !== EXIT.ok && code !== EXIT.undecided) ??
    codes.find((code) => code !== EXIT.ok) ??
    EXIT.ok
  );
}

/** Why seals of an image were rejected; none where one was accepted. */
export function rejectionCodes(verdict: Verdict): readonly string[] {
  return verdict.kind === 'trusted' ? [] : verdict.rejected.map(({ code }) => code);
}
