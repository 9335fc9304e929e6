// SPDX-License-Identifier: Apache-2.0
export { attachedTag, type AttachedKind } from './attached-tag.ts';
export { attestImage, type AttestedContent, type AttestedImage, type AttestImageOptions } from './attest-image.ts';
export { ATTESTATION_LIMITS } from './attestation-limits.ts';
export { ImageError, type ImageErrorCode } from './error.ts';
export { EVIDENCE_LIMITS, type EvidenceLimits } from './finding.ts';
export { GatheredEvidence, type GatherOptions, type SealDemand } from './gathered-evidence.ts';
export type { Attestation, AttestationExpectation } from './judge-attestation.ts';
export { CONTAINER_IMAGE_SIGNATURE, logCheckOf, type ExpectedSigners, type Expectation } from './judge.ts';
export { listAttached, type Attached, type AttachedListing } from './list-attached.ts';
export type { Place, PlaceName, PlaceReport } from './place.ts';
export {
  readAttestations,
  type ReadAttestations,
  type ReadAttestationsOptions,
  type UnverifiedAttestation,
} from './read-attestations.ts';
export { nearestRejection, type VerifyImageOptions } from './search-evidence.ts';
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
export { verifyAttestations } from './verify-attestations.ts';
export { verifyImage } from './verify-image.ts';
