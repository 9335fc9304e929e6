// SPDX-License-Identifier: Apache-2.0
import type { Seal } from '../image/index.ts';
import type { AuthorityResult, PolicyResult } from './decision.ts';

/** All authorities that were judged: of the image, and of each platform of an index. */
export function judgedAuthorities({ authorities, platforms = [] }: PolicyResult): readonly AuthorityResult[] {
  return [...authorities, ...platforms.flatMap((platform) => platform.authorities)];
}

/** The seals that counted, wherever they lie. */
export function countedSeals(policies: readonly PolicyResult[]): readonly Seal[] {
  return policies
    .flatMap(judgedAuthorities)
    .flatMap(({ seals, attestations }) => [...seals, ...attestations.flatMap((attestation) => attestation.seals)]);
}
