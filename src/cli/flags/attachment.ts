// SPDX-License-Identifier: Apache-2.0
import { isDigest } from '../../oci/index.ts';
import type { OpenedRepository } from './registry.ts';

/**
 * What a command is about: the image, or with `--attachment sbom` what cosign 2 attached to it under a tag.
 *
 * @returns a tag or digest of the opened repository
 */
export async function attachmentTarget(
  opened: OpenedRepository,
  attachment: string,
  tagPrefix: string,
): Promise<string> {
  if (attachment === '') return opened.target;
  const { attachedTag, ImageError } = await import('../../image/index.ts');
  const digest = isDigest(opened.target) ? opened.target : (await opened.repository.resolve(opened.target))?.digest;
  if (digest === undefined)
    throw new ImageError('image-missing', `${opened.repository.name} has no tag '${opened.target}'`);
  return attachedTag(digest, 'sbom', tagPrefix);
}
