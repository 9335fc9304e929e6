// SPDX-License-Identifier: Apache-2.0
import type { Descriptor, Digest, Manifest } from '../../oci/index.ts';
import { canonicalJson } from '../../wire/index.ts';

/**
 * The first part of a manifest that its successor does not have any more; undefined where nothing was lost.
 *
 * A layer is the same only with the same annotations: cosign keeps the signature there, and two signatures by two keys are one
 * payload. An entry of an index is named by its digest alone: what else stands in it is a hint, and older clients drop some of it.
 */
export function lostPart(before: Manifest, after: Manifest): Digest | undefined {
  const entries = new Set(after.manifests.map((entry) => entry.digest));
  const layers = new Set(after.layers.map(identity));
  const entry = before.manifests.find(({ digest }) => !entries.has(digest));
  const layer = before.layers.find((part) => !layers.has(identity(part)));
  return (entry ?? layer)?.digest;
}

function identity({ digest, mediaType, size, annotations }: Descriptor): string {
  return canonicalJson([digest, mediaType, size, annotations ?? {}]);
}
