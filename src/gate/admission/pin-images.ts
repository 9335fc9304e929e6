// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import type { JsonPath } from '../workload/json-path.ts';

/** An operation of a JSON Patch. @see https://www.rfc-editor.org/rfc/rfc6902 */
export interface PatchOperation {
  readonly op: 'test' | 'replace';
  readonly path: string;
  readonly value: string;
}

/** An image that is to be written back. */
export interface PinnedImage {
  readonly path: JsonPath;
  /** as it stood there when it was judged */
  readonly image: string;
  readonly pinned: string;
}

/**
 * Writes judged digests into an object, and only where still stands what was judged: between this webhook's reading and its patch nothing
 * else may have changed the field.
 */
export function pinImages(images: readonly PinnedImage[]): readonly PatchOperation[] {
  return images.flatMap(({ path, image, pinned }) => {
    const pointer = path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
    return [
      { op: 'test', path: pointer, value: image },
      { op: 'replace', path: pointer, value: pinned },
    ] as const;
  });
}

/** `name:tag@digest`, as it was written, with the digest that was judged. */
export function pinnedName(image: string, digest: Digest): string {
  const at = image.indexOf('@');
  return `${at < 0 ? image : image.slice(0, at)}@${digest}`;
}
