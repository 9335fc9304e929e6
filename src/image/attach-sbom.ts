// SPDX-License-Identifier: Apache-2.0
import { bytesBlob, digestOf, MediaType, type Descriptor, type Digest, type Repository } from '../oci/index.ts';
import { attachedTag } from './attached-tag.ts';
import { ImageError } from './error.ts';
import { sealSubjects } from './seal-subjects.ts';
import { configFor } from './signature-manifest.ts';

/** The media types under which cosign keeps SBOMs. */
export const SBOM_MEDIA_TYPES = {
  spdx: 'text/spdx',
  spdxJson: 'text/spdx+json',
  cycloneDxJson: 'application/vnd.cyclonedx+json',
  cycloneDxXml: 'application/vnd.cyclonedx+xml',
  syft: 'application/vnd.syft+json',
} as const;

/** What says of a referrer that it is an SBOM, in the place of a config's media type. */
export const SBOM_ARTIFACT_TYPE = 'application/vnd.dev.cosign.artifact.sbom.v1+json';

/** How an SBOM is attached. */
export interface AttachSbomOptions {
  /** a `.sbom` tag, as cosign 2 does, or a referrer of the image */
  readonly as: 'tag' | 'referrer';
  /** where it goes, if not beside the image */
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
}

/** An SBOM that was attached. Nobody has signed it. */
export interface AttachedSbom {
  /** what it lies beside */
  readonly subject: Digest;
  readonly descriptor: Descriptor;
  readonly tag?: string;
  /** another one that had the tag before, which no tag names any more */
  readonly replaced?: Digest;
}

/**
 * Lays an SBOM beside an image as it is, byte for byte as cosign does: anybody who may write there may exchange it. `attestImage` makes one
 * that says who vouches for it.
 *
 * @throws ImageError `image-missing`, `seal-not-readable`; RegistryError
 */
export async function attachSbom(
  repository: Repository,
  target: string,
  sbom: { readonly bytes: Uint8Array; readonly mediaType: string },
  options: AttachSbomOptions,
): Promise<AttachedSbom> {
  const [subject] = await sealSubjects(repository, target);
  const { evidence = repository } = options;
  const layer = { mediaType: sbom.mediaType, size: sbom.bytes.byteLength, digest: digestOf(sbom.bytes) };
  const config = configFor([layer]);
  const isTag = options.as === 'tag';
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: {
      mediaType: isTag ? MediaType.imageConfig : SBOM_ARTIFACT_TYPE,
      size: config.byteLength,
      digest: digestOf(config),
    },
    layers: [layer],
    ...(isTag ? {} : { subject: { mediaType: subject.mediaType, size: subject.size, digest: subject.digest } }),
  };
  await Promise.all([evidence.putBlob(bytesBlob(sbom.bytes)), evidence.putBlob(bytesBlob(config))]);
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  if (!isTag) return { subject: subject.digest, descriptor: await putReferrer(evidence, subject.digest, bytes) };
  const tag = attachedTag(subject.digest, 'sbom', options.tagPrefix);
  const before = await evidence.resolve(tag);
  const { descriptor } = await evidence.putManifest(bytes, MediaType.imageManifest, { tag });
  const replaced = before === undefined || before.digest === descriptor.digest ? {} : { replaced: before.digest };
  return { subject: subject.digest, descriptor, tag, ...replaced };
}

async function putReferrer(repository: Repository, subject: Digest, bytes: Uint8Array): Promise<Descriptor> {
  const { descriptor, listed } = await repository.putManifest(bytes, MediaType.imageManifest);
  if (listed?.place === 'fallback-tag') return descriptor;
  const { descriptors, truncated } = await repository.referrers(subject);
  if (truncated || descriptors.some(({ digest }) => digest === descriptor.digest)) return descriptor;
  throw new ImageError(
    'seal-not-readable',
    `${repository.name} took the SBOM ${descriptor.digest} and does not list it as a referrer of ${subject}`,
  );
}
