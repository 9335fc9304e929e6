// SPDX-License-Identifier: Apache-2.0
export type { Descriptor } from './descriptor.ts';
export {
  DigestStream,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  type Digest,
  type DigestAlgorithm,
} from './digest.ts';
export {
  ReferenceFault,
  RegistryError,
  type ReferenceFaultCode,
  type RegistryErrorCode,
  type RegistryErrorContext,
} from './error.ts';
export { MANIFEST_MEDIA_TYPES, MediaType } from './media-type.ts';
export type {
  BlobSource,
  BlobStream,
  Progress,
  PutManifestOptions,
  ReferrersListing,
  ReferrersPlace,
  Repository,
  StoredManifest,
  WrittenManifest,
} from './repository.ts';
