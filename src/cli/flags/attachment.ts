// SPDX-License-Identifier: Apache-2.0
import { isDigest, isTag } from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
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

/** Refuses a `--attachment-tag-prefix` that cannot begin a tag. @throws CliError `flag-invalid` */
export function checkTagPrefix(flags: { readonly 'attachment-tag-prefix': string }): void {
  const prefix = flags['attachment-tag-prefix'];
  if (isTag(`${prefix}sha256-${'0'.repeat(64)}.sbom`)) return;
  const shown = prefix.length > 80 ? `${prefix.slice(0, 80)}…` : prefix;
  throw new CliError(
    'flag-invalid',
    `invalid argument "${shown}" for "--attachment-tag-prefix" flag: expected what can begin a tag (letters, digits, _ . and -)`,
  );
}
