// SPDX-License-Identifier: Apache-2.0
import type { Rejection, Seal } from '../image/index.ts';
import type { Digest } from '../oci/index.ts';

/** The three outcomes. What is undecided never admits. */
export type Outcome = 'trusted' | 'refused' | 'undecided';

/**
 * Why, from the whole decision down to one attestation. Stable: programs tell them apart by these.
 *
 * - `met`: it is as it should be
 * - `policy-failed`: a policy that is about the image is not met
 * - `no-policy-matches`: no policy is about the image
 * - `reference-malformed`: what was to be decided on is no image
 * - `image-missing`: there is no such image
 * - `static-pass`, `static-fail`: the policy says so, whatever lies beside the image
 * - `nothing-found`: nothing of that kind lies beside the image
 * - `none-accepted`: there is something, and nothing of it counts; `nearest` says why not
 * - `key-seals-only`: there are seals by keys only, where an identity is expected
 * - `signers-too-few`: there are seals that count, by fewer signers than are asked for
 * - `attestation-failed`: one of the attestations that are asked for is not there or does not count
 * - `authorities-failed`: none of the authorities is satisfied
 * - `program-refused`: the policy over what the authorities found refuses it
 * - `not-asked`: another authority had satisfied the policy
 * - `unknown`: it could not be found out; `cause` says why
 */
export type ReasonCode =
  | 'met'
  | 'policy-failed'
  | 'no-policy-matches'
  | 'reference-malformed'
  | 'image-missing'
  | 'static-pass'
  | 'static-fail'
  | 'nothing-found'
  | 'none-accepted'
  | 'key-seals-only'
  | 'signers-too-few'
  | 'attestation-failed'
  | 'authorities-failed'
  | 'program-refused'
  | 'not-asked'
  | 'unknown';

/** Why something could not be found out. */
export interface Cause {
  readonly code: string;
  /** one line */
  readonly message: string;
}

/** An answer to a part of the question. */
export interface Finding {
  readonly outcome: Outcome;
  readonly code: ReasonCode;
  /** one line, for a person */
  readonly message: string;
  /** what came closest to being accepted */
  readonly nearest?: Rejection;
  readonly cause?: Cause;
}

/** One attestation that an authority asks for. */
export interface AttestationResult extends Finding {
  readonly name: string;
  readonly predicateType: string;
  readonly seals: readonly Seal[];
}

/** One authority. */
export interface AuthorityResult extends Omit<Finding, 'outcome'> {
  readonly name: string;
  readonly kind: 'static' | 'key' | 'keyless';
  readonly outcome: Outcome | 'not-asked';
  /** the seals that count; empty where attestations are asked for, which have their own */
  readonly seals: readonly Seal[];
  readonly attestations: readonly AttestationResult[];
  /** who or what would satisfy it, one line each */
  readonly expected: readonly string[];
}

/** One policy that is about the image. */
export interface PolicyResult extends Finding {
  readonly policy: string;
  readonly hash: Digest;
  readonly mode: 'enforce' | 'warn';
  readonly authorities: readonly AuthorityResult[];
}

/** Whether an image may run, and why. */
export interface Decision extends Finding {
  /** as it was asked for */
  readonly image: string;
  /** what was decided on; absent where nothing had to be looked at, or it could not be found out */
  readonly digest?: Digest;
  readonly policies: readonly PolicyResult[];
  /** of all policies that are about the image, of what they refer to, and of the settings */
  readonly policyHash: Digest;
  /** digests of the seals that counted, in lexical order */
  readonly evidence: readonly Digest[];
  /** why policies that only warn would have refused, one line each */
  readonly warnings: readonly string[];
}
