// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';
import type {
  Bundle,
  RejectionCode as SealRejectionCode,
  SealEvidence,
  SealSigner,
  SignatureScheme,
} from '../trust/index.ts';
import type { CodedError, Json } from '../wire/index.ts';
import type { Place, PlaceReport } from './place.ts';

/** The two ways in which a signature is written beside an image. */
export type SealFormat = 'bundle' | 'legacy';

/** A signature that was accepted: by whom, over what, where it lies. */
export interface Seal {
  readonly format: SealFormat;
  readonly place: Place;
  readonly signer: SealSigner;
  readonly scheme: SignatureScheme;
  /** what was checked of transparency: a key seal without a trusted root is not looked for in a log */
  readonly log: LogCheck;
  /** where it was logged, and when it was there; absent where that was not checked */
  readonly evidence?: SealEvidence;
  /** what was judged; nothing of it but what stands in the other fields was verified */
  readonly bundle: Bundle;
  /** `-a` pairs that the signer sealed along; unknown JSON in legacy seals is kept */
  readonly annotations: Readonly<Record<string, Json>>;
  /** the repository that the signer named; a legacy seal has one, a bundle has none */
  readonly dockerReference?: string;
  /** a legacy seal's payload, byte for byte what was signed */
  readonly payload?: Uint8Array;
}

/** Whether a log has a seal: verified; not asked, as no trusted root was given; or left out by `ignoreLog`. */
export type LogCheck = 'verified' | 'not-checked' | 'ignored';

/**
 * Why a signature was not accepted: the checks of one bundle, and those of this room.
 *
 * - `bundle-malformed`: what lies there says it is a seal, and cannot be read as one
 * - `predicate-type-mismatch`: it is an attestation of another kind, or one where a signature was asked
 * - `not-attestation`: it is a signature, where an attestation was asked
 * - `predicate-malformed`: it is an attestation of that kind, and not in the form that the kind has; asked for by `strictPredicate` alone
 * - `annotation-mismatch`: a demanded `-a` pair is missing or other
 * - `claims-mismatch`: a legacy payload is of another type than a container image signature
 * - `signer-revoked`: it is by a signer whose seals no longer count, or none at this time
 * - `seal-too-old`, `seal-undated`: it is older than is asked for, or nobody who is believed says how old it is
 * - `hash-mismatch`: the signature was made with another hash than is asked for
 * - `predicate-refused`: a policy over what it attests refuses it
 * - `summary-…`: a verification summary that does not count: it failed; is about another resource or other policies; is too old; does not list its
 *   signers, where somebody is revoked; or a policy looks at more than the image
 * - `evidence-missing`: it is listed and its manifest or blob is not there
 * - `too-large`: it is larger than any signature
 * - `manifest-malformed`: the manifest that should carry it is none
 */
export type RejectionCode =
  | SealRejectionCode
  | 'predicate-type-mismatch'
  | 'not-attestation'
  | 'predicate-malformed'
  | 'bundle-malformed'
  | 'annotation-mismatch'
  | 'claims-mismatch'
  | 'signer-revoked'
  | 'seal-too-old'
  | 'seal-undated'
  | 'hash-mismatch'
  | 'predicate-refused'
  | 'summary-failed'
  | 'summary-resource'
  | 'summary-policies'
  | 'summary-age'
  | 'summary-signers'
  | 'summary-object'
  | 'evidence-missing'
  | 'too-large'
  | 'manifest-malformed';

/** A signature that was not accepted, and why. */
export interface Rejection {
  readonly place: Place;
  readonly format: SealFormat;
  readonly code: RejectionCode;
  readonly found: string;
  readonly expected: string;
}

/** Why an image is refused, from "nobody sealed it" to "somebody else did". */
export type RefusalReason = 'image-missing' | 'nothing-found' | 'none-accepted' | 'key-seals-only';

/** A check that a flag switched off. It shows in every output. */
export type Weakening = 'claims-not-checked' | 'log-ignored' | 'certificate-log-ignored';

interface Inspection {
  /** each place in the order it was asked, or would have been */
  readonly places: readonly PlaceReport[];
  readonly rejected: readonly Rejection[];
  readonly weakened: readonly Weakening[];
}

/** The answer to "is this digest sealed by whom I expect?". */
export type Verdict<S extends Seal = Seal> =
  | (Inspection & { readonly kind: 'trusted'; readonly digest: Digest; readonly seals: readonly [S, ...S[]] })
  | (Inspection & {
      readonly kind: 'refused';
      readonly reason: RefusalReason;
      readonly digest?: Digest;
      /** the rejection that came closest to being accepted */
      readonly nearest?: Rejection;
    })
  | (Inspection & { readonly kind: 'undecided'; readonly digest?: Digest; readonly cause: CodedError });
