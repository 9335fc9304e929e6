// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, digestAlgorithm, digestHex, RegistryError } from '../oci/index.ts';
import type { Descriptor, Digest, Manifest, ReferrersListing, Repository } from '../oci/index.ts';
import { decodeBundle, SIGN_PREDICATE_TYPE, TrustError, type Artifact } from '../trust/index.ts';
import { WireError } from '../wire/index.ts';
import type { EvidenceLimits, Finding, Lead, LeadListing } from './finding.ts';
import { LegacyAnnotation, readLegacyLayer } from './legacy-signatures.ts';
import type { Place } from './place.ts';
import type { RejectionCode } from './verdict.ts';

const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle';
const PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';
const CREATED = 'org.opencontainers.image.created';
// A seal has one layer; this is for stray files beside it.
const MAX_STRAY_LAYERS = 8;
/** of one manifest that say that they are seals: cosign 2 adds a layer with each signature */
const MAX_SEAL_LAYERS = 100;

/**
 * The referrers of an image as leads to bundles. Every referrer is one, whatever it says of itself: artifactType and annotations
 * can be written by anyone who may push, and cosign 3 writes them wrongly, so they decide the order only.
 *
 * @param likeliest the predicate type that is read first; any but that of signatures where there is none
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
 */
export function referrerLeads(
  repository: Repository,
  subject: Digest,
  listing: ReferrersListing,
  limits: EvidenceLimits,
  likeliest: string | undefined,
): LeadListing {
  const ordered = listing.descriptors
    .map((descriptor) => ({
      descriptor,
      rank: rank(descriptor, likeliest),
      created: descriptor.annotations?.[CREATED] ?? '',
    }))
    .toSorted((a, b) => a.rank - b.rank || (a.created < b.created ? 1 : a.created > b.created ? -1 : 0));
  const read = ordered.slice(0, limits.maxCandidates);
  return {
    exists: listing.exists,
    leads: read.map(({ descriptor }) => referrerLead(repository, subject, listing, descriptor, limits)),
    total: ordered.length,
    endless: listing.truncated,
    truncated: listing.truncated || read.length < ordered.length,
  };
}

function rank(descriptor: Descriptor, likeliest: string | undefined): number {
  const type = descriptor.annotations?.[PREDICATE_TYPE];
  if (type !== undefined) return (likeliest === undefined ? type !== SIGN_PREDICATE_TYPE : type === likeliest) ? 0 : 3;
  if (descriptor.artifactType?.startsWith(BUNDLE_TYPE)) return 1;
  return descriptor.artifactType === undefined || descriptor.artifactType === 'application/vnd.oci.empty.v1+json'
    ? 2
    : 4;
}

function referrerLead(
  repository: Repository,
  subject: Digest,
  listing: ReferrersListing,
  descriptor: Descriptor,
  limits: EvidenceLimits,
): Lead {
  const place: Place = { name: listing.place, repository: repository.name, manifest: descriptor.digest };
  return {
    key: `${listing.place} ${descriptor.digest}`,
    async load() {
      const stored = await repository.manifest(descriptor.digest);
      if (stored === undefined) {
        return claimsBundle(descriptor)
          ? [rejected(place, 'evidence-missing', 'no such manifest', 'the listed manifest')]
          : [FOREIGN];
      }
      let manifest: Manifest;
      try {
        manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        return claimsBundle(descriptor)
          ? [rejected(place, 'manifest-malformed', error.message, 'an image manifest')]
          : [FOREIGN];
      }
      if (manifest.kind === 'index') return [FOREIGN];
      const claimed = claimsBundle(descriptor) || manifest.artifactType?.startsWith(BUNDLE_TYPE) === true;
      const artifact: Artifact = { kind: 'digest', algorithm: digestAlgorithm(subject), hex: digestHex(subject) };
      const layers = manifest.layers.filter((layer, index) => index < MAX_STRAY_LAYERS || claimsSeal(layer));
      const findings: Finding[] = [];
      for (const layer of layers.slice(0, MAX_SEAL_LAYERS))
        findings.push(await readLayer(repository, { ...place, layer: layer.digest }, layer, claimed, artifact, limits));
      if (layers.length > MAX_SEAL_LAYERS)
        findings.push(rejected(place, 'too-large', `${layers.length} layers`, `at most ${MAX_SEAL_LAYERS} seals`));
      return findings;
    },
  };
}

async function readLayer(
  repository: Repository,
  place: Place,
  layer: Descriptor,
  referrerClaimed: boolean,
  artifact: Artifact,
  limits: EvidenceLimits,
): Promise<Finding> {
  // cosign 2's experimental OCI 1.1 mode: a simple-signing layer in a referrer.
  if (layer.annotations?.[LegacyAnnotation.signature] !== undefined)
    return readLegacyLayer(repository, place, layer, limits);
  const claimed = referrerClaimed || layer.mediaType.startsWith(BUNDLE_TYPE);
  if (layer.size > limits.maxSealBytes) {
    // No bundle is read beyond this size, whoever wrote it, so nothing is lost by not fetching it.
    return claimed
      ? rejected(place, 'too-large', `${layer.size} bytes`, `at most ${limits.maxSealBytes} bytes`)
      : FOREIGN;
  }
  const bytes = await repository.blob(layer.digest, limits.maxSealBytes);
  if (bytes === undefined) {
    return claimed
      ? rejected(place, 'evidence-missing', 'no such blob', 'the bundle that its manifest names')
      : FOREIGN;
  }
  try {
    const bundle = decodeBundle(bytes, `bundle ${layer.digest}`, { maxBytes: limits.maxSealBytes });
    return { kind: 'candidate', format: 'bundle', place, bundle, artifact };
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    return claimed ? rejected(place, 'bundle-malformed', error.message, 'a Sigstore bundle v0.1 to v0.3') : FOREIGN;
  }
}

const FOREIGN: Finding = { kind: 'foreign' };

function claimsSeal({ mediaType, annotations }: Descriptor): boolean {
  return mediaType.startsWith(BUNDLE_TYPE) || annotations?.[LegacyAnnotation.signature] !== undefined;
}

function claimsBundle(descriptor: Descriptor): boolean {
  return descriptor.artifactType?.startsWith(BUNDLE_TYPE) === true;
}

function rejected(place: Place, code: RejectionCode, found: string, expected: string): Finding {
  return { kind: 'rejected', rejection: { place, format: 'bundle', code, found, expected } };
}
