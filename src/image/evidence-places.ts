// SPDX-License-Identifier: Apache-2.0
import { readFallbackReferrers, type Digest, type Repository } from '../oci/index.ts';
import { attachedTag } from './attached-tag.ts';
import { referrerLeads } from './referrer-seals.ts';
import type { EvidenceLimits, LeadListing } from './finding.ts';
import { legacyLeads } from './legacy-signatures.ts';
import type { PlaceName } from './place.ts';
import type { SealFormat } from './verdict.ts';

/** One place to ask. `list` is called once, and only when an earlier place did not settle it. */
export interface EvidencePlace {
  readonly name: PlaceName;
  list(): Promise<LeadListing>;
}

/** Where to look. */
export interface EvidenceScope {
  readonly repository: Repository;
  readonly digest: Digest;
  readonly limits: EvidenceLimits;
  /** cosign's `--attachment-tag-prefix` */
  readonly tagPrefix?: string;
  /** reads one format only, where somebody asks for that; both unless told */
  readonly formats?: readonly SealFormat[];
}

/**
 * All the places of an image's seals, in the order in which they are asked: referrers (over the API, else the fallback tag), the
 * `.sig` tag, and the fallback tag behind an API: a registry that learnt the API may still hold entries written before.
 */
export async function* evidencePlaces(scope: EvidenceScope): AsyncGenerator<EvidencePlace> {
  const { repository, digest, limits } = scope;
  const wants = (format: SealFormat): boolean => scope.formats?.includes(format) ?? true;
  let overApi = false;
  let listed: ReadonlySet<Digest> = new Set();
  if (wants('bundle')) {
    yield {
      name: 'referrers-api',
      async list() {
        const listing = await repository.referrers(digest);
        overApi = listing.place === 'referrers-api';
        listed = new Set(listing.descriptors.map((descriptor) => descriptor.digest));
        return { ...referrerLeads(repository, digest, listing, limits), name: listing.place };
      },
    };
  }
  if (wants('legacy')) {
    yield {
      name: 'signature-tag',
      list: () => legacyLeads(repository, attachedTag(digest, 'signature', scope.tagPrefix), limits),
    };
  }
  if (overApi) {
    yield {
      name: 'fallback-tag',
      async list() {
        const listing = await readFallbackReferrers(repository, digest);
        // what the API listed too was read already
        const descriptors = listing.descriptors.filter((descriptor) => !listed.has(descriptor.digest));
        return referrerLeads(repository, digest, { ...listing, descriptors }, limits);
      },
    };
  }
}
