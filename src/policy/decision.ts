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
 * - `platforms-failed`: the index does not satisfy the policy, and one of the platforms that it lists does not either
 * - `excepted`: a signed exception lifts the policy, or all policies that are not met
 * - `summary-accepted`: a verification summary by a gate that the settings name says so
 * - `summary-missing`: a verification summary is demanded, and none counts
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
  | 'platforms-failed'
  | 'excepted'
  | 'summary-accepted'
  | 'summary-missing'
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
  readonly mode: 'enforce' | 'warn' | 'audit';
  /** by what lies beside the image, or the index; none were asked where an exception lifts the policy */
  readonly authorities: readonly AuthorityResult[];
  /** where an index does not satisfy the policy itself: its runnable platforms, up to the first that fails */
  readonly platforms?: readonly PlatformResult[];
}

/** One platform of an index, by what lies beside it and beside the index. */
export interface PlatformResult extends Finding {
  /** for example `linux/arm64/v8`; `unnamed` where the index does not say */
  readonly platform: string;
  readonly digest: Digest;
  readonly authorities: readonly AuthorityResult[];
}

/** Why a signed exception does not lift a policy for this image. */
export type ExceptionMissCode =
  | 'exception-expired'
  | 'exception-not-yet-valid'
  /** its lifetime is beyond what the settings allow */
  | 'exception-lifetime'
  /** by nobody whom the settings name, or the signature is bad */
  | 'exception-signer'
  | 'exception-signer-revoked'
  /** over another digest of this repository */
  | 'exception-digest'
  /** over this digest, and not for a policy that is about it */
  | 'exception-policy';

/** An exception that was not taken. */
export interface ExceptionMiss {
  readonly code: ExceptionMissCode;
  /** file or resource that holds it */
  readonly source: string;
  readonly found: string;
  readonly expected: string;
}

/** A signed exception that lifts policies for one digest. */
export interface AppliedException {
  /** file or resource that holds it */
  readonly source: string;
  /** of the signed statement */
  readonly statement: Digest;
  readonly digest: Digest;
  /** names of the policies that it lifted here */
  readonly policies: readonly string[];
  readonly reason: string;
  /** who approved it, as the statement says */
  readonly approver: string;
  /** who signed that: a key's hash, or issuer and subject */
  readonly signer: SignerName;
  readonly issued: Date;
  readonly expires: Date;
}

/** What tells a signer from others: the hash of the public key, or issuer and subject of the certificate. */
export type SignerName =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'identity'; readonly issuer: string | null; readonly subject: string };

/** A verification summary by which the image was admitted. */
export interface AcceptedSummary {
  /** of the bundle or envelope that was read */
  readonly digest: Digest;
  /** URI of the gate, as the summary says */
  readonly verifier: string;
  /** who signed it */
  readonly signer: SignerName;
  readonly timeVerified: Date;
  /** the first moment at which it counts no more */
  readonly validUntil: Date;
}

/**
 * All that a decision followed from: the same inputs give the same answer, until {@link Decision.validUntil}. Trusted roots and all else that
 * policies refer to are part of `policyHash`; of whom settings name, of `settingsHash`.
 */
export interface DecisionInputs {
  /** what was known before anything was asked: the rest but `digest` and `evidence`; `questionOf` gives it before a decision */
  readonly question: Digest;
  /** the name in full: with registry, and tag or digest */
  readonly name: string;
  readonly digest?: Digest;
  readonly policyHash: Digest;
  /** revocations, exceptions, gates, mirrors, and what becomes of images without a policy */
  readonly settingsHash: Digest;
  /** of the fields of the object that a policy reads; absent where none reads any */
  readonly object?: Digest;
  /** manifests and blobs of all the evidence that was read, whether it counted or not, in lexical order */
  readonly evidence: readonly Digest[];
  /** of all these together */
  readonly hash: Digest;
}

/** Whether an image may run, and why. */
export interface Decision extends Finding {
  /** as it was asked for */
  readonly image: string;
  /** what was decided on; absent where nothing had to be looked at, or it could not be found out */
  readonly digest?: Digest;
  readonly policies: readonly PolicyResult[];
  /** of all policies that are about the image and of what they refer to: keys, trusted roots, texts */
  readonly policyHash: Digest;
  /** digests of the seals that counted, in lexical order */
  readonly evidence: readonly Digest[];
  /** why policies that only warn would have refused, and that an exception admitted it, one line each */
  readonly warnings: readonly string[];
  /** the exceptions that lifted policies; one of them is why it is admitted, where the code is `excepted` */
  readonly exceptions: readonly AppliedException[];
  /** the exception that came closest to lifting a policy that is not met */
  readonly nearestException?: ExceptionMiss;
  /** the summary by a gate that came closest, where none counts */
  readonly nearestSummary?: Pick<Rejection, 'code' | 'found' | 'expected'>;
  /** by which it was admitted, where the code is `summary-accepted` */
  readonly summary?: AcceptedSummary;
  readonly inputs: DecisionInputs;
  /**
   * the first moment at which an age, an expiry or a revocation could change the answer; absent where no time could. `mayReuse` heeds it
   */
  readonly validUntil?: Date;
  /** a policy over JSON that was evaluated reads the clock: the answer is of this moment alone */
  readonly readsClock: boolean;
}

/**
 * Whether a decision may stand for a new one on the same inputs: never what is undecided or reads the clock, and nothing past the first
 * moment at which time could change it.
 */
export function mayReuse(
  { outcome, readsClock, validUntil }: Pick<Decision, 'outcome' | 'readsClock' | 'validUntil'>,
  now: Date,
): boolean {
  return outcome !== 'undecided' && !readsClock && (validUntil === undefined || now < validUntil);
}
