// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './error.ts';
import { readImageParts } from './image-parts.ts';
import { putBlobs } from './put-blobs.ts';
import type { Progress, Repository } from './repository.ts';

/** How an image is copied. */
export interface CopyOptions {
  /** without it, the image is there by its digest only */
  readonly tag?: string;
  /** over all blobs of the image and its children */
  readonly progress?: Progress;
}

/**
 * Copies an image, or an index with all its children, with the exact bytes of every manifest. Blobs are mounted where both ends are of
 * one registry, streamed otherwise, and come before the manifests that name them. The target is resolved once.
 *
 * @returns what was copied; `undefined` where the source does not have it
 * @throws RegistryError `content-missing` where a manifest names what is not there; `unsupported` for manifests named by sha512
 * @example await copyImage(layout, repository, 'v1', { tag: 'v1' });
 */
export async function copyImage(
  from: Repository,
  to: Repository,
  target: string,
  options: CopyOptions = {},
): Promise<Descriptor | undefined> {
  const parts = await readImageParts(from, target);
  if (parts === undefined) return undefined;
  await putBlobs(to, parts.blobs, options.progress);
  const last = parts.manifests.length - 1;
  for (const [at, { bytes, descriptor }] of parts.manifests.entries()) {
    const tagged = at === last && options.tag !== undefined ? { tag: options.tag } : {};
    const written = await to.putManifest(bytes, descriptor.mediaType, tagged);
    if (written.descriptor.digest !== descriptor.digest) {
      const message = `${to.name} took ${descriptor.digest} as ${written.descriptor.digest}`;
      throw new RegistryError('digest-mismatch', message);
    }
  }
  return parts.root;
}
