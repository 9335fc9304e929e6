// SPDX-License-Identifier: Apache-2.0
import type { Artifact, Bundle } from '../trust/index.ts';
import type { LegacyEvidence } from './legacy-evidence.ts';
import type { Place, PlaceName } from './place.ts';
import type { Rejection, SealFormat } from './verdict.ts';

/**
 * A signature to be judged. A legacy signature arrives here as a bundle too: behind this type there is one path.
 */
export interface Candidate {
  readonly kind: 'candidate';
  readonly format: SealFormat;
  readonly place: Place;
  readonly bundle: Bundle;
  /** what lies beside a legacy signature, unread: it is looked at only where a certificate, log or time is asked for */
  readonly beside?: LegacyEvidence;
  /** what the signature must be about: the image's digest, or the bytes of a legacy payload */
  readonly artifact: Artifact;
}

/** What one lead gave: something to judge, a seal that cannot be read, or something that is no seal at all. */
export type Finding =
  | Candidate
  | { readonly kind: 'rejected'; readonly rejection: Rejection }
  | { readonly kind: 'foreign' };

/** Something that was listed and not read yet. */
export interface Lead {
  /** what it leads to, the same whenever it is listed */
  readonly key: string;
  load(): Promise<readonly Finding[]>;
}

/** What a place lists. `name` where it turned out to be another than was asked (no referrers API: the fallback tag). */
export interface LeadListing {
  readonly name?: PlaceName;
  readonly exists: boolean;
  /** likeliest first; hints decide the order and nothing else */
  readonly leads: readonly Lead[];
  /** how many are listed */
  readonly total: number;
  /** the listing itself was cut: there are more than `total` */
  readonly endless?: boolean;
  readonly truncated: boolean;
}

/** Caps on evidence. A cap that ends the search before an answer is certain makes it undecided. */
export interface EvidenceLimits {
  /** referrers or layers that are read in one place */
  readonly maxCandidates: number;
  /** bytes of one bundle or payload */
  readonly maxSealBytes: number;
}

/** cosign's own limits are 1000 layers and none on referrers; a signature has a few kilobytes. */
export const EVIDENCE_LIMITS: EvidenceLimits = { maxCandidates: 1000, maxSealBytes: 4 * 1024 * 1024 };
