// SPDX-License-Identifier: Apache-2.0
import { decodeManifest } from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import type { OpenedRepository } from './registry.ts';

/**
 * What a command is about: the image, or with `--platform` that one of an index.
 *
 * @returns a tag or digest of the opened repository
 * @throws CliError `usage` for what is no platform, or none that the index lists
 */
export async function platformTarget({ repository, target }: OpenedRepository, platform: string): Promise<string> {
  if (platform === '') return target;
  const [os = '', architecture = '', variant, ...rest] = platform.split('/');
  if (os === '' || architecture === '' || variant === '' || rest.length > 0)
    throw new CliError(
      'usage',
      `--platform '${platform.slice(0, 80)}' is no platform: expected OS/ARCH or OS/ARCH/VARIANT`,
    );
  const stored = await repository.manifest(target);
  if (stored === undefined) return target;
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind !== 'index')
    throw new CliError('usage', `--platform: ${repository.name} ${target} is an image, and no index of several`);
  const found = manifest.manifests.find(
    ({ platform: is }) =>
      is?.os === os && is.architecture === architecture && (variant === undefined || is.variant === variant),
  );
  if (found !== undefined) return found.digest;
  const listed = manifest.manifests.flatMap(({ platform: is }) =>
    is === undefined ? [] : [`${is.os}/${is.architecture}`],
  );
  throw new CliError(
    'usage',
    `the index has no image for ${platform}: it has ${listed.slice(0, 20).join(', ') || 'none with a platform'}`,
  );
}
