// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import {
  openRepository,
  type OpenedRepository,
  type OpenRepositoryOptions,
  type RegistryFlagValues,
} from './registry.ts';

/** Refuses what a tag names. */
export const REQUIRE_DIGEST_FLAG = {
  'require-digest': { kind: 'boolean', help: 'refuse an image that is named by a tag' },
} as const;

/** The image is the folder of a layout. */
export const LOCAL_IMAGE_FLAG = {
  'local-image': { kind: 'boolean', help: 'IMAGE is the folder of an OCI layout; no socket is opened' },
} as const;

/** An image of a command, and where it is. */
export interface OpenedImage extends OpenedRepository {
  /** as it was typed */
  readonly image: string;
}

/**
 * Opens the images of a command. All names are read before the first is asked for: a misspelt one must not leave the others half done.
 *
 * @throws as `openRepository`
 */
export async function openImages(
  context: CommandContext,
  images: readonly string[],
  flags: RegistryFlagValues,
  options: OpenRepositoryOptions,
): Promise<readonly OpenedImage[]> {
  return Promise.all(
    images.map(async (image) => ({ image, ...(await openRepository(context, image, flags, options)) })),
  );
}

/** What is said of an image that a tag names, where `--require-digest` was given. */
export function namedByTag({ image }: OpenedImage): CliError {
  return new CliError('usage', `${image} is named by a tag, and --require-digest asks for name@sha256:…`);
}
