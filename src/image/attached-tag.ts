// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Digest } from '../oci/index.ts';

/** What cosign 2 keeps under a tag beside an image. */
export type AttachedKind = 'signature' | 'attestation' | 'sbom';

const SUFFIX: Readonly<Record<AttachedKind, string>> = { signature: '.sig', attestation: '.att', sbom: '.sbom' };

/**
 * The tag under which cosign 2 keeps something for a digest.
 *
 * @param prefix what `--attachment-tag-prefix` puts before it
 * @example attachedTag(digest, 'signature') // 'sha256-4ed3….sig'
 */
export function attachedTag(digest: Digest, kind: AttachedKind, prefix = ''): string {
  return `${prefix}${digestAlgorithm(digest)}-${digestHex(digest)}${SUFFIX[kind]}`;
}
