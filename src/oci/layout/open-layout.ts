// SPDX-License-Identifier: Apache-2.0
import type { LayoutRepository } from './layout-repository.ts';

/** How a layout is opened. */
export interface OpenLayoutOptions {
  /** makes the directory and an empty layout in it where nothing is yet */
  readonly create?: boolean;
  /** the repository's name; the path unless told */
  readonly name?: string;
}

/**
 * Opens an OCI image layout on disk. Nothing in it is trusted: content is checked against its digest, links that lead out of the
 * directory are refused, and sizes and counts are capped. It opens no socket.
 *
 * @throws RegistryError `layout-malformed`, `too-large`, `storage-failed`; `conflict` where a layout to be made stays locked
 * @example
 * const layout = await openLayout('./saved');
 * const image = await layout.soleImage();
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function openLayout(path: string, options: OpenLayoutOptions = {}): Promise<LayoutRepository> {
  // Whoever talks to a registry only shall not load what reads directories.
  const { openLayoutRepository } = await import('./layout-repository.ts');
  return openLayoutRepository(path, options);
}
