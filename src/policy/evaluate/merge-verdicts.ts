// SPDX-License-Identifier: Apache-2.0
import type { RefusalReason, Rejection, Seal, Verdict } from '../../image/index.ts';
import type { Cause } from '../decision.ts';

/** What lies in several places, as if it lay in one. */
export interface MergedVerdict<S extends Seal = Seal> {
  readonly seals: readonly S[];
  readonly rejected: readonly Rejection[];
  /** why not everything could be read, where it could not */
  readonly cause?: Cause;
  /** why none counts, where none does */
  readonly reason: RefusalReason;
}

/** Puts verdicts by one expectation together: all seals count, wherever they lie. */
export function mergeVerdicts<S extends Seal>(verdicts: readonly Verdict<S>[]): MergedVerdict<S> {
  const causes = verdicts.flatMap((verdict): readonly Cause[] => {
    if (verdict.kind === 'undecided') return [verdict.cause];
    return verdict.places.filter((place) => place.outcome === 'failed');
  });
  const [first] = causes;
  const reasons = new Set(verdicts.flatMap((verdict) => (verdict.kind === 'refused' ? [verdict.reason] : [])));
  return {
    seals: verdicts.flatMap((verdict) => (verdict.kind === 'trusted' ? verdict.seals : [])),
    rejected: verdicts.flatMap(({ rejected }) => rejected),
    reason: MOST_FIRST.find((reason) => reasons.has(reason)) ?? 'nothing-found',
    ...(first === undefined ? {} : { cause: { code: first.code, message: first.message } }),
  };
}

/** From "somebody else sealed it" to "there is no such image". */
const MOST_FIRST: readonly RefusalReason[] = ['none-accepted', 'key-seals-only', 'nothing-found', 'image-missing'];
