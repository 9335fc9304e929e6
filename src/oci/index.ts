// SPDX-License-Identifier: Apache-2.0
export { bytesBlob } from './bytes-blob.ts';
export { copyImage, type CopyOptions } from './copy-image.ts';
export { AuthFile } from './credentials/auth-file.ts';
export type { Credentials, CredentialsProvider } from './credentials/credentials.ts';
export { findCredentials, type FindCredentialsOptions } from './credentials/find-credentials.ts';
export type { Descriptor, Platform } from './descriptor.ts';
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
export { readImageParts, type ImageParts } from './image-parts.ts';
export type { LayoutRepository } from './layout/layout-repository.ts';
export { openLayout, type OpenLayoutOptions } from './layout/open-layout.ts';
export { parseLocation, type Location } from './location.ts';
export {
  decodeManifest,
  isManifestMediaType,
  ManifestLimit,
  type ImageIndex,
  type ImageManifest,
  type Manifest,
} from './manifest.ts';
export { MANIFEST_MEDIA_TYPES, MediaType } from './media-type.ts';
export { MemoryRepository, type MemoryCall, type MemoryOptions } from './memory/memory-repository.ts';
export { PackFault, type PackFaultCode } from './pack/pack-fault.ts';
export { packImage, type PackedImage, type PackOptions } from './pack/pack-image.ts';
export { pushImage, type PushOptions } from './push-image.ts';
export { putBlobs, type BlobToPut } from './put-blobs.ts';
export {
  formatReference,
  isRepositoryPath,
  isTag,
  parseReference,
  parseTag,
  registryHost,
  repositoryName,
  targetOf,
  withDigest,
  type Reference,
} from './reference.ts';
export {
  decodeIndexEntries,
  describeReferrer,
  fallbackTag,
  mergeIndex,
  readFallbackReferrers,
  removeFromIndex,
  type IndexEntries,
} from './referrers-index.ts';
export type { RemoteLimits, RemoteOptions, RemoteTls } from './remote/options.ts';
export { openRemoteRepository, RemoteRegistry, type RemoteRepository } from './remote/remote-repository.ts';
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
export { verifiedStream } from './verified-stream.ts';
