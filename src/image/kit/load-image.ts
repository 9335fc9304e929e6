// SPDX-License-Identifier: Apache-2.0
import {
  bytesBlob,
  decodeManifest,
  putBlobs,
  readImageParts,
  RegistryError,
  type Digest,
  type ImageParts,
  type Manifest,
  type Progress,
  type Repository,
  type StoredManifest,
} from '../../oci/index.ts';
import { ImageError } from '../error.ts';
import { mergeSignatures } from '../signature-manifest.ts';
import { collectImage, wantedPlatform } from './collect-image.ts';
import { isStrange, type SubjectEvidence } from './subject-evidence.ts';

/** How an image is loaded. */
export interface LoadImageOptions {
  /** what the image is called in the target; without it, it is there by its digest only */
  readonly tag?: string;
  /** `os/arch[/variant]`: of an index, load the image of this platform in its place */
  readonly platform?: string;
  /** of an index, the platform whose layers are there at all, where that is not all of them */
  readonly held?: string;
  /** where the evidence goes, if not beside the image */
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
  /** over the blobs of the image */
  readonly progress?: Progress;
}

/** An image that was loaded. */
export interface LoadedImage {
  readonly digest: Digest;
  /** manifests of evidence that lie beside it now, and beside what it lists */
  readonly evidence: number;
  /** what could not be loaded, for people */
  readonly faults: readonly string[];
}

/** Where seals of others may be under the tag already. */
const MERGED = /\.(?:sig|att)$/;
const ATTEMPTS = 8;

/**
 * Loads an image with everything that lies beside it into another repository, from a kit, from what `cosign save` wrote, or from any other
 * repository. The tag is written last, so that whoever pulls by it finds the evidence; seals of others that are there already stay. What was
 * written is looked for afterwards.
 *
 * @throws ImageError `image-missing`, `platform-missing`, `seal-not-readable`, `seal-conflict`; RegistryError
 */
export async function loadImage(
  from: Repository,
  to: Repository,
  target: string,
  options: LoadImageOptions = {},
): Promise<LoadedImage> {
  const { platform, held, tagPrefix, evidence: shelf = to } = options;
  const about = platform === undefined ? target : await platformOf(from, target, platform);
  const { parts, evidence } = await collectImage(from, about, {
    ...(platform !== undefined || held === undefined ? {} : { platform: held }),
    ...(tagPrefix === undefined ? {} : { tagPrefix }),
  });
  await putBlobs(to, parts.blobs, options.progress);
  const manifests = parts.manifests.filter(({ descriptor }) => !parts.unwanted.has(descriptor.digest));
  for (const stored of manifests) await putExactly(to, stored, parts);
  const faults: string[] = [];
  const written = new Set<Digest>();
  for (const one of evidence) await putEvidence(shelf, one, { faults, written });
  const root = manifests.at(-1);
  if (options.tag !== undefined && root !== undefined)
    await to.putManifest(root.bytes, root.descriptor.mediaType, { tag: options.tag });
  return { digest: parts.root.digest, evidence: written.size, faults: [...new Set(faults)] };
}

async function platformOf(from: Repository, target: string, platform: string): Promise<Digest> {
  const wants = wantedPlatform(platform);
  const parts = await readImageParts(from, target, wants.of);
  if (parts === undefined) throw new ImageError('image-missing', `${from.name} has no ${target}`);
  const image = parts.manifests.find(({ descriptor }) => wants.found.has(descriptor.digest));
  const [only, ...others] = parts.manifests;
  if (image !== undefined) return image.descriptor.digest;
  if (only !== undefined && others.length === 0) return only.descriptor.digest;
  throw new ImageError('platform-missing', `${from.name} ${target} has no image for ${platform}`);
}

async function putExactly(to: Repository, { bytes, descriptor }: StoredManifest, parts: ImageParts): Promise<void> {
  try {
    const written = await to.putManifest(bytes, descriptor.mediaType);
    if (written.descriptor.digest === descriptor.digest) return;
    const message = `${to.name} took ${descriptor.digest} as ${written.descriptor.digest}`;
    throw new RegistryError('digest-mismatch', message);
  } catch (cause) {
    if (parts.unwanted.size === 0 || descriptor.digest !== parts.root.digest) throw cause;
    if (!(cause instanceof RegistryError) || ['unreachable', 'timeout', 'throttled'].includes(cause.code)) throw cause;
    throw new RegistryError(
      'content-missing',
      `${to.name} does not take an index of which only some platforms are there: load one of them (${cause.message})`,
      { cause },
    );
  }
}

interface Loading {
  readonly faults: string[];
  readonly written: Set<Digest>;
}

async function putEvidence(to: Repository, evidence: SubjectEvidence, loading: Loading): Promise<void> {
  const missing = new Set<Digest>();
  for (const blob of evidence.blobs) {
    try {
      await to.putBlob(blob);
    } catch (error) {
      if (!isStrange(error)) throw error;
      loading.faults.push(error.message);
      missing.add(blob.digest);
    }
  }
  const usable = (stored: StoredManifest): boolean => {
    const manifest = decoded(stored);
    if (manifest === undefined) return false;
    return ![manifest.config, ...manifest.layers].some((blob) => blob !== undefined && missing.has(blob.digest));
  };
  const manifests = evidence.manifests.filter(usable);
  for (const stored of manifests) {
    await to.putManifest(stored.bytes, stored.descriptor.mediaType);
    loading.written.add(stored.descriptor.digest);
  }
  for (const [tag, stored] of evidence.tags) {
    if (stored === undefined || !usable(stored)) continue;
    await putTagged(to, tag, stored);
    loading.written.add(stored.descriptor.digest);
  }
  loading.faults.push(...evidence.faults);
  await checkListed(to, evidence.subject, manifests);
}

/** What is no manifest, or names a blob that could not be had, is not written: a registry may refuse it, and no verifier could use it. */
function decoded({ bytes, descriptor }: StoredManifest): Manifest | undefined {
  try {
    return decodeManifest(bytes, descriptor.mediaType);
  } catch (error) {
    if (isStrange(error)) return undefined;
    throw error;
  }
}

async function putTagged(to: Repository, tag: string, stored: StoredManifest): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const existing = MERGED.test(tag) ? await to.manifest(tag) : undefined;
    if (existing?.descriptor.digest === stored.descriptor.digest) return;
    const merged = existing === undefined ? undefined : mergeSignatures(existing.bytes, stored.bytes);
    if (existing !== undefined && merged === undefined) return;
    if (merged !== undefined) await to.putBlob(bytesBlob(merged.config));
    const { bytes, mediaType } = merged ?? { bytes: stored.bytes, mediaType: stored.descriptor.mediaType };
    const expect = MERGED.test(tag) ? { expect: existing?.descriptor.digest ?? ('absent' as const) } : {};
    try {
      await to.putManifest(bytes, mediaType, { tag, ...expect });
      return;
    } catch (error) {
      if (!(error instanceof RegistryError) || error.code !== 'conflict' || !MERGED.test(tag)) throw error;
    }
  }
  throw new ImageError(
    'seal-conflict',
    `${to.name}:${tag} changed under every one of ${ATTEMPTS} attempts to add to it`,
  );
}

/** Evidence that cannot be found from the image is as good as lost. */
async function checkListed(to: Repository, subject: Digest, stored: readonly StoredManifest[]): Promise<void> {
  const expected = stored.filter((one) => decoded(one)?.subject?.digest === subject);
  if (expected.length === 0) return;
  const { descriptors, truncated } = await to.referrers(subject);
  const listed = new Set(descriptors.map(({ digest }) => digest));
  const lost = expected.find(({ descriptor }) => !listed.has(descriptor.digest));
  if (lost === undefined || truncated) return;
  throw new ImageError(
    'seal-not-readable',
    `${to.name} took the evidence ${lost.descriptor.digest} and does not list it as a referrer of ${subject}`,
  );
}
