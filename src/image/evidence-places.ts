// SPDX-License-Identifier: Apache-2.0
import { readFallbackReferrers, type Digest, type Repository } from '../oci/index.ts';
import { SIGN_PREDICATE_TYPE } from '../trust/index.ts';
import { attachedTag } from './attached-tag.ts';
import { referrerLeads } from './referrer-seals.ts';
import type { EvidenceLimits, LeadListing } from './finding.ts';
import { legacyLeads, readLegacyLayer, type LegacyManifest } from './legacy-signatures.ts';
import type { PlaceName } from './place.ts';
import type { SealFormat } from './verdict.ts';

/** One place to ask. `list` is called once, and only when an earlier place did not settle it. */
export interface EvidencePlace {
  readonly name: PlaceName;
  list(): Promise<LeadListing>;
}

/** What is looked for. */
export type EvidenceKind =
  | { readonly kind: 'signature' }
  /** with the predicate type that is likeliest to be wanted: it decides the order only */
  | { readonly kind: 'attestation'; readonly predicateType?: string };

/** Where to look, and for what. */
export interface EvidenceScope {
  readonly sought: EvidenceKind;
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
 * `.sig` or `.att` tag, and the fallback tag behind an API: a registry that learnt the API may still hold entries written before.
 */
export async function* evidencePlaces(scope: EvidenceScope): AsyncGenerator<EvidencePlace> {
  const { repository, digest, limits, sought } = scope;
  const first = sought.kind === 'signature' ? SIGN_PREDICATE_TYPE : sought.predicateType;
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
        return { ...referrerLeads(repository, digest, listing, limits, first), name: listing.place };
      },
    };
  }
  if (wants('legacy')) {
    yield {
      name: sought.kind === 'signature' ? 'signature-tag' : 'attestation-tag',
      list: async () => legacyLeads(repository, await legacyManifest(scope), limits),
    };
  }
  if (overApi) {
    yield {
      name: 'fallback-tag',
      async list() {
        const listing = await readFallbackReferrers(repository, digest);
        // what the API listed too was read already
        const descriptors = listing.descriptors.filter((descriptor) => !listed.has(descriptor.digest));
        return referrerLeads(repository, digest, { ...listing, descriptors }, limits, first);
      },
    };
  }
}

async function legacyManifest({ sought, digest, tagPrefix }: EvidenceScope): Promise<LegacyManifest> {
  const tag = attachedTag(digest, sought.kind, tagPrefix);
  if (sought.kind === 'signature') return { tag, name: 'signature-tag', read: readLegacyLayer };
  const { legacyAttestationReader } = await import('./legacy-attestations.ts');
  return { tag, name: 'attestation-tag', read: legacyAttestationReader(digest) };
}
