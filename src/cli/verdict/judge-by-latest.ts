// SPDX-License-Identifier: Apache-2.0
import type { TrustOptions } from '../flags/trust.ts';
import type { TrustSource } from '../output/trust-origin.ts';

/** Rejections that a newer trusted root may lift: somebody is unknown who may have joined since. */
const UNKNOWN: ReadonlySet<string> = new Set([
  'certificate-issuer-unknown',
  'sct-log-unknown',
  'log-unknown',
  'timestamp-signer-unknown',
]);

/** What is asked of seals, by whom one believes. */
export interface Asked {
  /** where the trusted root came from, where nobody named it */
  readonly origin?: TrustSource;
}

/** How seals are judged. */
export interface Judging<A extends Asked, J> {
  /** what is asked, by the trusted root that is there; `fresh` looks for the newest */
  readonly ask: (options?: TrustOptions) => Promise<A>;
  readonly judge: (asked: A) => Promise<J>;
  /** why seals were rejected; none where one was accepted */
  readonly codesOf: (judged: J) => readonly string[];
}

/** Judges by a trusted root, and once more by the newest where that was kept from an earlier run and somebody was unknown to it. */
export async function judgeByLatest<A extends Asked, J>(
  asked: A,
  { ask, judge, codesOf }: Judging<A, J>,
): Promise<{ readonly asked: A; readonly judged: J }> {
  const judged = await judge(asked);
  if (asked.origin?.kept !== true || !codesOf(judged).some((code) => UNKNOWN.has(code))) return { asked, judged };
  const renewed = await ask({ fresh: true });
  return { asked: renewed, judged: await judge(renewed) };
}
