// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  isManifestMediaType,
  readFallbackReferrers,
  RegistryError,
  type BlobToPut,
  type Descriptor,
  type Digest,
  type ReferrersListing,
  type Repository,
  type StoredManifest,
} from '../../oci/index.ts';
import { attachedTag, type AttachedKind } from '../attached-tag.ts';
import { ImageError } from '../error.ts';

/** What is kept of the evidence of one image. */
const KIT_LIMITS: {
  /** referrers of one manifest, as many as a verifier reads */
  readonly referrers: number;
  /** bytes of one signature, attestation or SBOM: as cosign reads at most */
  readonly evidenceBytes: number;
  /** manifests of evidence of one image, for all its platforms */
  readonly evidenceManifests: number;
  /** bytes of all evidence of one image */
  readonly totalEvidenceBytes: number;
} = {
  referrers: 1000,
  evidenceBytes: 128 * 1024 * 1024,
  evidenceManifests: 10_000,
  totalEvidenceBytes: 2 * 1024 * 1024 * 1024,
};

/** Where evidence may lie: a repository, and what stands before the tags in it. */
export interface EvidencePlaceOf {
  readonly repository: Repository;
  /** cosign's `--attachment-tag-prefix` */
  readonly tagPrefix?: string;
}

/** What lies beside one manifest in one repository, as it lies there. Nothing of it is verified. */
export interface SubjectEvidence {
  readonly repository: Repository;
  readonly subject: Digest;
  /** all tags that were asked for; `undefined` where there is none */
  readonly tags: ReadonlyMap<string, StoredManifest | undefined>;
  /** as they are listed, over the API and under the fallback tag */
  readonly referrers: readonly Descriptor[];
  /** more lies there than was read */
  readonly truncated: boolean;
  /** the referrers that are there */
  readonly manifests: readonly StoredManifest[];
  readonly blobs: readonly BlobToPut[];
  /** what could not be taken, for people */
  readonly faults: readonly string[];
}

const KINDS: readonly AttachedKind[] = ['signature', 'attestation', 'sbom'];
const CONCURRENT = 8;

/** Two ways to sign what no one signs any further: nobody is asked for seals of seals. */
const SEAL_TYPE = /^application\/vnd\.(?:dev\.sigstore\.bundle|dev\.cosign\.simplesigning|dsse\.envelope)/;

/**
 * Reads which seals, attestations and SBOMs lie beside a manifest, by tag and as referrers: the manifests, and what their blobs are. What
 * is strange there is a fault and hides nothing else.
 *
 * @throws RegistryError where the repository could not be asked
 */
export async function readSubjectEvidence(place: EvidencePlaceOf, subject: Digest): Promise<SubjectEvidence> {
  const { repository, tagPrefix = '' } = place;
  const faults: string[] = [];
  const names = KINDS.map((kind) => attachedTag(subject, kind, tagPrefix));
  const [tagged, listing] = await Promise.all([
    Promise.all(names.map(async (tag) => [tag, await tolerant(faults, () => repository.manifest(tag))] as const)),
    readListing(repository, subject, faults),
  ]);
  const wanted = listing.descriptors.slice(0, KIT_LIMITS.referrers);
  const manifests: StoredManifest[] = [];
  for (let at = 0; at < wanted.length; at += CONCURRENT) {
    const read = wanted.slice(at, at + CONCURRENT).map(async ({ digest }) => {
      const stored = await tolerant(faults, () => repository.manifest(digest));
      if (stored === undefined) faults.push(`${repository.name}@${digest} is listed as a referrer and cannot be had`);
      return stored;
    });
    manifests.push(...(await Promise.all(read)).filter((stored) => stored !== undefined));
  }
  const tags = new Map(tagged);
  const blobs = blobsOf(repository, [...tags.values(), ...manifests], faults);
  const truncated = listing.truncated || wanted.length < listing.descriptors.length;
  return { repository, subject, tags, referrers: wanted, truncated, manifests, blobs, faults };
}

/** Manifests of evidence that may have seals of their own, such as an SBOM. */
export function sealableEvidence({ tags, manifests }: SubjectEvidence): readonly Digest[] {
  const [, , sbom] = [...tags.values()];
  const others = manifests.filter(({ bytes, descriptor }) => {
    const types = typesOf(bytes, descriptor.mediaType);
    return types !== undefined && !types.some((type) => SEAL_TYPE.test(type));
  });
  return [...(sbom === undefined ? [] : [sbom]), ...others].map(({ descriptor }) => descriptor.digest);
}

/** Fails where an image has more evidence than is kept: to keep some of it would decide otherwise than all of it. */
export function checkEvidenceSize(name: string, evidence: readonly SubjectEvidence[]): void {
  let manifests = 0;
  let bytes = 0;
  for (const one of evidence) {
    manifests += one.manifests.length + one.tags.size;
    for (const { size } of one.blobs) bytes += size;
  }
  const { evidenceManifests, totalEvidenceBytes } = KIT_LIMITS;
  if (manifests > evidenceManifests || bytes > totalEvidenceBytes) {
    throw new ImageError(
      'evidence-capped',
      `${name} has ${manifests} manifests of evidence with ${bytes} bytes, at most ${evidenceManifests} with ${totalEvidenceBytes} are taken`,
    );
  }
}

async function readListing(repository: Repository, subject: Digest, faults: string[]): Promise<ReferrersListing> {
  const listing = await repository.referrers(subject);
  if (listing.place !== 'referrers-api') return listing;
  // A registry that learnt the API may still hold entries that were written before.
  const older = await tolerant(faults, () => readFallbackReferrers(repository, subject));
  const all = new Map([...listing.descriptors, ...(older?.descriptors ?? [])].map((one) => [one.digest, one]));
  const truncated = listing.truncated || older === undefined || older.truncated;
  return { ...listing, descriptors: [...all.values()], truncated };
}

/** What a stranger wrote wrongly is a fault; what could not be asked for is an error. */
async function tolerant<T>(faults: string[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!isStrange(error)) throw error;
    faults.push(error.message);
    return undefined;
  }
}

/** True for content that is not what it says: no reason to take nothing. */
export function isStrange(error: unknown): error is RegistryError {
  const codes = ['manifest-malformed', 'too-large', 'digest-mismatch', 'size-mismatch', 'content-missing'];
  return error instanceof RegistryError && codes.includes(error.code);
}

function blobsOf(
  repository: Repository,
  manifests: readonly (StoredManifest | undefined)[],
  faults: string[],
): readonly BlobToPut[] {
  const blobs = new Map<Digest, BlobToPut>();
  for (const stored of manifests) {
    if (stored === undefined) continue;
    for (const { digest, size } of contentOf(stored, faults)) {
      if (size <= KIT_LIMITS.evidenceBytes) blobs.set(digest, blobOf(repository, digest, size));
      else faults.push(`${digest} has ${size} bytes, at most ${KIT_LIMITS.evidenceBytes} of evidence are taken`);
    }
  }
  return [...blobs.values()];
}

function contentOf({ bytes, descriptor }: StoredManifest, faults: string[]): readonly Descriptor[] {
  try {
    const manifest = decodeManifest(bytes, descriptor.mediaType);
    return manifest.kind === 'image' ? [manifest.config, ...manifest.layers] : [];
  } catch (error) {
    if (!isStrange(error)) throw error;
    faults.push(`${descriptor.digest}: ${error.message}`);
    return [];
  }
}

function blobOf(repository: Repository, digest: Digest, size: number): BlobToPut {
  return {
    digest,
    size,
    mountFrom: repository.name,
    async *open() {
      const stream = await repository.openBlob(digest);
      if (stream === undefined) {
        throw new RegistryError('content-missing', `${repository.name} has no ${digest}, which evidence names`);
      }
      yield* stream.body;
    },
  };
}

function typesOf(bytes: Uint8Array, mediaType: string): readonly string[] | undefined {
  if (!isManifestMediaType(mediaType)) return undefined;
  try {
    const manifest = decodeManifest(bytes, mediaType);
    return [manifest.artifactType ?? '', ...manifest.layers.map((layer) => layer.mediaType)];
  } catch (error) {
    if (isStrange(error)) return undefined;
    throw error;
  }
}
