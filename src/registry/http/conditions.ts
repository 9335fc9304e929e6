// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest } from '../../oci/index.ts';

/** Entity tags of a conditional request: `*`, or digests; tags that are none of ours are left out. */
export type EntityTags = '*' | readonly Digest[];

/**
 * Reads If-Match or If-None-Match. Our entity tag of a manifest is its digest in quotes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.1
 */
export function entityTags(header: string | undefined): EntityTags | undefined {
  if (header === undefined) return undefined;
  if (header.trim() === '*') return '*';
  return header
    .split(',')
    .map((tag) => /^(?:W\/)?"([^"]*)"$/.exec(tag.trim())?.[1] ?? '')
    .filter((tag) => isDigest(tag));
}

/** The entity tag of a digest. */
export function entityTag(digest: Digest): string {
  return `"${digest}"`;
}
