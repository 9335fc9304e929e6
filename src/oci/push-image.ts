// SPDX-License-Identifier: Apache-2.0
import type { PackedImage } from './pack/pack-image.ts';
import { putBlobs } from './put-blobs.ts';
import type { Progress, Repository, WrittenManifest } from './repository.ts';

/** How an image is pushed. */
export interface PushOptions {
  /** without it, the image is there by its digest only */
  readonly tag?: string;
  /** over all blobs */
  readonly progress?: Progress;
}

/**
 * Pushes a packed image: its blobs, then its manifest, so that nobody ever finds a manifest without its parts.
 *
 * @throws RegistryError, ReferenceFault `tag-malformed`
 * @example await pushImage(repository, packed, { tag: 'v1' });
 */
export async function pushImage(
  repository: Repository,
  packed: PackedImage,
  options: PushOptions = {},
): Promise<WrittenManifest> {
  await putBlobs(repository, packed.blobs, options.progress);
  const { tag } = options;
  return repository.putManifest(packed.manifest, packed.descriptor.mediaType, tag === undefined ? {} : { tag });
}
