// SPDX-License-Identifier: Apache-2.0
import { readImageParts, type Descriptor, type Digest, type ImageParts, type Repository } from '../../oci/index.ts';
import { ImageError } from '../error.ts';
import {
  checkEvidenceSize,
  readSubjectEvidence,
  sealableEvidence,
  type EvidencePlaceOf,
  type SubjectEvidence,
} from './subject-evidence.ts';

/** An image with everything that lies beside it, found and not yet fetched. */
export interface CollectedImage {
  readonly parts: ImageParts;
  /** of the image, of what it lists, and of SBOMs beside them */
  readonly evidence: readonly SubjectEvidence[];
}

/** What of an image is collected. */
export interface CollectOptions {
  /** `os/arch[/variant]`: of an index only the blobs of this platform; its manifests and all evidence are taken still */
  readonly platform?: string;
  /** where evidence lies besides the image's own repository */
  readonly evidence?: readonly EvidencePlaceOf[];
  readonly tagPrefix?: string;
}

/** An SBOM may be sealed, and what lies beside it may be again; nobody reads further. */
const MAX_DEPTH = 2;
const CONCURRENT = 4;

/**
 * Finds an image, what it lists, and all evidence of each of these.
 *
 * @throws ImageError `image-missing`, `platform-missing`, `evidence-capped`; RegistryError
 */
export async function collectImage(
  repository: Repository,
  target: string,
  options: CollectOptions = {},
): Promise<CollectedImage> {
  const wants = options.platform === undefined ? undefined : wantedPlatform(options.platform);
  const parts = await readImageParts(repository, target, wants?.of);
  if (parts === undefined) {
    const described = target.includes(':') ? `manifest ${target}` : `tag '${target}'`;
    throw new ImageError('image-missing', `${repository.name} has no ${described}`);
  }
  const isIndex = parts.manifests.length > 1;
  if (wants !== undefined && isIndex && wants.found.size === 0) {
    throw new ImageError('platform-missing', `${repository.name} ${target} has no image for ${options.platform}`);
  }
  const { evidence = [], tagPrefix } = options;
  const places = [{ repository, ...(tagPrefix === undefined ? {} : { tagPrefix }) }, ...evidence];
  const subjects = parts.manifests.map(({ descriptor }) => descriptor.digest);
  return { parts, evidence: await readEvidence(places, subjects) };
}

async function readEvidence(
  places: readonly EvidencePlaceOf[],
  image: readonly Digest[],
): Promise<readonly SubjectEvidence[]> {
  const found: SubjectEvidence[] = [];
  const seen = new Set<Digest>(image);
  let subjects = image;
  for (let depth = 0; depth < MAX_DEPTH && subjects.length > 0; depth++) {
    const here: SubjectEvidence[] = [];
    for (let at = 0; at < subjects.length; at += CONCURRENT) {
      const window = subjects.slice(at, at + CONCURRENT);
      const read = window.flatMap((subject) => places.map((place) => readSubjectEvidence(place, subject)));
      here.push(...(await Promise.all(read)));
      checkEvidenceSize(places[0]?.repository.name ?? '', [...found, ...here]);
    }
    found.push(...here);
    subjects = here.flatMap(sealableEvidence).filter((digest) => !seen.has(digest));
    for (const digest of subjects) seen.add(digest);
  }
  return found;
}

/** Which children of an index are of a platform. What names none, or an unknown one, is no image and small: an attestation of BuildKit, say. */
export function wantedPlatform(platform: string): {
  readonly of: (child: Descriptor) => boolean;
  /** the digests that were of it, so far */
  readonly found: ReadonlySet<Digest>;
} {
  const [os = '', architecture = '', variant, ...rest] = platform.split('/');
  if (os === '' || architecture === '' || variant === '' || rest.length > 0) {
    throw new ImageError(
      'platform-missing',
      `'${platform.slice(0, 80)}' is no platform: expected OS/ARCH or OS/ARCH/VARIANT`,
    );
  }
  const found = new Set<Digest>();
  return {
    of({ platform: is, digest }) {
      if (is === undefined || is.os === 'unknown') return true;
      const wanted =
        is.os === os && is.architecture === architecture && (variant === undefined || is.variant === variant);
      if (wanted) found.add(digest);
      return wanted;
    },
    found,
  };
}
