// SPDX-License-Identifier: Apache-2.0
export {
  attachExisting,
  type AttachedExisting,
  type AttachExistingOptions,
  type SealToAttach,
} from './attach-existing.ts';
export { attachSbom, SBOM_MEDIA_TYPES, type AttachedSbom, type AttachSbomOptions } from './attach-sbom.ts';
export { attachedTag, type AttachedKind } from './attached-tag.ts';
export { attestImage, type AttestedContent, type AttestedImage, type AttestImageOptions } from './attest-image.ts';
export { ATTESTATION_LIMITS } from './attestation-limits.ts';
export { ImageError, type ImageErrorCode } from './error.ts';
export { EVIDENCE_LIMITS, type EvidenceLimits } from './finding.ts';
export { GatheredEvidence, type GatherOptions, type SealDemand } from './gathered-evidence.ts';
export type { Attestation, AttestationExpectation } from './judge-attestation.ts';
export {
  CONTAINER_IMAGE_SIGNATURE,
  logCheckOf,
  sealExpectation,
  weakeningsOf,
  type ExpectedSigners,
  type Expectation,
  type FurtherDemand,
} from './judge.ts';
export type { KitImage } from './kit/kit-document.ts';
export { loadImage, type LoadedImage, type LoadImageOptions } from './kit/load-image.ts';
export { isKit, openKit, type Kit, type KitFile, type KitFiles } from './kit/open-kit.ts';
export { saveKit, type ImageToSave, type SavedImage, type SavedKit, type SaveKitOptions } from './kit/save-kit.ts';
export type { EvidencePlaceOf } from './kit/subject-evidence.ts';
export { listAttached, type Attached, type AttachedListing } from './list-attached.ts';
export type { Place, PlaceName, PlaceReport } from './place.ts';
export {
  readAttestations,
  type ReadAttestations,
  type ReadAttestationsOptions,
  type UnverifiedAttestation,
} from './read-attestations.ts';
export { readSboms, type ReadSbomsOptions, type UnverifiedSbom } from './read-sboms.ts';
export { nearestRejection, type VerifyImageOptions } from './search-evidence.ts';
export { SealChecks } from './seal-checks.ts';
export { sealSubjects, type SealSubjects } from './seal-subjects.ts';
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
export { verifyAttestations, type VerifyAttestationsOptions } from './verify-attestations.ts';
export { verifyImage } from './verify-image.ts';
