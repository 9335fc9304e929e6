// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  readFallbackReferrers,
  RegistryError,
  type Descriptor,
  type Digest,
  type Repository,
  type StoredManifest,
} from '../oci/index.ts';
import { SBOM_ARTIFACT_TYPE, SBOM_MEDIA_TYPES } from './attach-sbom.ts';
import { attachedTag } from './attached-tag.ts';
import { ATTESTATION_LIMITS } from './attestation-limits.ts';

/** An SBOM that lies beside an image as it is. Nobody has signed it: whoever may write there may have exchanged it. */
export interface UnverifiedSbom {
  /** as it is declared */
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly manifest: Digest;
  readonly layer: Digest;
  /** the tag that it has; a referrer has none */
  readonly tag?: string;
}

/** Where it is looked. */
export interface ReadSbomsOptions {
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
  /** bytes of one SBOM */
  readonly maxBytes?: number;
}

/** Media types of SBOMs, cosign's and the registered ones that oras and others write. */
const SBOM_TYPES: ReadonlySet<string> = new Set([
  ...Object.values(SBOM_MEDIA_TYPES),
  SBOM_ARTIFACT_TYPE,
  'application/spdx+json',
  'application/vnd.cyclonedx',
]);
/** What bundles say of themselves: an attested SBOM is another thing. */
const BUNDLE = 'application/vnd.dev.sigstore.bundle';
const CONCURRENT = 8;

/**
 * The SBOMs that lie beside an image unsigned: under the `.sbom` tag, then as referrers. To verify is `verifyAttestations`.
 *
 * @throws RegistryError where the registry could not be asked, or what it holds is not what it says; `too-large`
 */
export async function readSboms(
  repository: Repository,
  subject: Digest,
  options: ReadSbomsOptions = {},
): Promise<readonly UnverifiedSbom[]> {
  const { evidence = repository, tagPrefix, maxBytes = ATTESTATION_LIMITS.maxSealBytes } = options;
  const tag = attachedTag(subject, 'sbom', tagPrefix);
  const tagged = await evidence.manifest(tag);
  const found = tagged === undefined ? [] : layersOf(tagged).map((layer) => ({ layer, stored: tagged, tag }));
  const referrers = (await referrersOf(evidence, subject)).filter(
    ({ artifactType = '' }) => !artifactType.startsWith(BUNDLE),
  );
  const read: { layer: Descriptor; stored: StoredManifest; tag?: string }[] = [...found];
  for (let at = 0; at < referrers.length; at += CONCURRENT) {
    const window = referrers.slice(at, at + CONCURRENT).map(async ({ digest }) => evidence.manifest(digest));
    for (const stored of await Promise.all(window))
      if (stored !== undefined) read.push(...sbomLayers(stored).map((layer) => ({ layer, stored })));
  }
  const sboms: UnverifiedSbom[] = [];
  for (const { layer, stored, tag: named } of read) {
    const bytes = await evidence.blob(layer.digest, maxBytes);
    if (bytes === undefined) continue;
    const where = { manifest: stored.descriptor.digest, layer: layer.digest };
    sboms.push({ mediaType: layer.mediaType, bytes, ...where, ...(named === undefined ? {} : { tag: named }) });
  }
  return sboms;
}

async function referrersOf(repository: Repository, subject: Digest): Promise<readonly Descriptor[]> {
  const listing = await repository.referrers(subject);
  const older = listing.place === 'referrers-api' ? (await readFallbackReferrers(repository, subject)).descriptors : [];
  const all = new Map([...listing.descriptors, ...older].map((one) => [one.digest, one]));
  if (listing.truncated || all.size > ATTESTATION_LIMITS.maxCandidates) {
    const message = `${repository.name} lists more referrers of ${subject} than the ${ATTESTATION_LIMITS.maxCandidates} that are read`;
    throw new RegistryError('evidence-capped', message);
  }
  return [...all.values()];
}

/** The layers of a referrer that say that they are an SBOM, or all of one that says so as a whole. */
function sbomLayers(stored: StoredManifest): readonly Descriptor[] {
  try {
    const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
    if (manifest.kind === 'index') return [];
    const whole = [manifest.artifactType, manifest.config.mediaType].some((type) => SBOM_TYPES.has(type ?? ''));
    return manifest.layers.filter((layer) => whole || SBOM_TYPES.has(layer.mediaType));
  } catch (error) {
    if (error instanceof RegistryError) return []; // a strange one hides no other
    throw error;
  }
}

function layersOf({ bytes, descriptor }: StoredManifest): readonly Descriptor[] {
  const manifest = decodeManifest(bytes, descriptor.mediaType);
  return manifest.kind === 'index' ? [] : manifest.layers;
}
