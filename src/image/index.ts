// SPDX-License-Identifier: Apache-2.0
export { attachedTag, type AttachedKind } from './attached-tag.ts';
export { ImageError, type ImageErrorCode } from './error.ts';
export { EVIDENCE_LIMITS, type EvidenceLimits } from './finding.ts';
export { CONTAINER_IMAGE_SIGNATURE, logCheckOf, type ExpectedSigners, type Expectation } from './judge.ts';
export { listAttached, type Attached, type AttachedListing } from './list-attached.ts';
export type { Place, PlaceName, PlaceReport } from './place.ts';
export { signImage, type MadeSeal, type SignedImage, type SignImageOptions } from './sign-image.ts';
export type {
  LogCheck,
  RefusalReason,
  Rejection,
  RejectionCode,
  Seal,
  SealFormat,
  Verdict,
  Weakening,
} from './verdict.ts';
export { verifyImage, type VerifyImageOptions } from './verify-image.ts';
