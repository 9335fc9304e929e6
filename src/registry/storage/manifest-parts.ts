// SPDX-License-Identifier: Apache-2.0
import type { Digest, Manifest } from '../../oci/index.ts';

/** What a manifest needs to be whole. */
export interface Part {
  readonly kind: 'blob' | 'manifest';
  readonly digest: Digest;
}

/** Layers that may lie elsewhere: the registry does not ask for them. @see https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers */
const ELSEWHERE: readonly RegExp[] = [
  /^application\/vnd\.oci\.image\.layer\.nondistributable\.v1\./,
  /^application\/vnd\.docker\.image\.rootfs\.foreign\./,
];

/** The parts of a manifest, each once. A subject is none: it may come later, or never. */
export function partsOf(manifest: Manifest): readonly Part[] {
  if (manifest.kind === 'index') {
    return unique(manifest.manifests.map((entry) => entry.digest)).map((digest) => ({ kind: 'manifest', digest }));
  }
  const layers = manifest.layers.filter((layer) => !ELSEWHERE.some((type) => type.test(layer.mediaType)));
  return unique([manifest.config, ...layers].map((part) => part.digest)).map((digest) => ({ kind: 'blob', digest }));
}

function unique(digests: readonly Digest[]): readonly Digest[] {
  return [...new Set(digests)];
}
