// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  readFallbackReferrers,
  RegistryError,
  type Descriptor,
  type Digest,
  type RegistryErrorCode,
  type Repository,
} from '../oci/index.ts';
import { attachedTag, type AttachedKind } from './attached-tag.ts';

const KINDS: readonly AttachedKind[] = ['attestation', 'signature', 'sbom'];
const PREDICATE_TYPE = 'dev.sigstore.bundle.predicateType';
const CONCURRENT = 10;
const MAX_REFERRERS = 1000;
/** What may be wrong with one manifest; any other failure is that of the repository. */
const CONTENT_FAULTS: ReadonlySet<string> = new Set<RegistryErrorCode>([
  'digest-mismatch',
  'size-mismatch',
  'too-large',
  'manifest-malformed',
  'layout-malformed',
]);

/** Something that lies beside an image. What it says of itself is shown, not believed. */
export type Attached =
  | {
      readonly kind: 'tag';
      readonly attached: AttachedKind;
      readonly tag: string;
      readonly manifest: Digest;
      readonly layers: readonly Descriptor[];
      /** why the manifest could not be read, if it could not */
      readonly fault?: string;
    }
  | {
      readonly kind: 'referrer';
      /** predicate type, else artifact type */
      readonly type: string;
      readonly manifest: Digest;
      readonly layers: readonly Descriptor[];
      /** why the manifest could not be read, if it could not */
      readonly fault?: string;
    };

/** All that lies beside an image. */
export interface AttachedListing {
  readonly items: readonly Attached[];
  /** where a cap ended the listing: how many referrers there are at least */
  readonly truncatedAt?: number;
}

/**
 * Lists what lies beside an image, in cosign's order: the tags `.att`, `.sig`, `.sbom`, then referrers by either way.
 *
 * @throws RegistryError where the registry could not be asked
 */
export async function listAttached(repository: Repository, digest: Digest, tagPrefix = ''): Promise<AttachedListing> {
  const [tagged, listing] = await Promise.all([
    Promise.all(KINDS.map((kind) => readTag(repository, kind, attachedTag(digest, kind, tagPrefix)))),
    repository.referrers(digest),
  ]);
  const older = listing.place === 'referrers-api' ? (await readFallbackReferrers(repository, digest)).descriptors : [];
  const descriptors = new Map([...older, ...listing.descriptors].map((descriptor) => [descriptor.digest, descriptor]));
  const read = [...descriptors.values()].slice(0, MAX_REFERRERS);
  const referrers: Attached[] = [];
  for (let at = 0; at < read.length; at += CONCURRENT) {
    const window = read.slice(at, at + CONCURRENT);
    referrers.push(...(await Promise.all(window.map((descriptor) => readReferrer(repository, descriptor)))));
  }
  const items = [...tagged.filter((item) => item !== undefined), ...referrers];
  const truncated = listing.truncated || descriptors.size > read.length;
  return truncated ? { items, truncatedAt: descriptors.size } : { items };
}

async function readTag(repository: Repository, attached: AttachedKind, tag: string): Promise<Attached | undefined> {
  const stored = await repository.manifest(tag);
  if (stored === undefined) return undefined;
  const item = { kind: 'tag', attached, tag, manifest: stored.descriptor.digest } as const;
  try {
    return { ...item, layers: layersOf(stored.bytes, stored.descriptor.mediaType) };
  } catch (error) {
    if (error instanceof RegistryError) return { ...item, layers: [], fault: error.message };
    throw error;
  }
}

async function readReferrer(repository: Repository, descriptor: Descriptor): Promise<Attached> {
  const listedAs = descriptor.annotations?.[PREDICATE_TYPE] ?? descriptor.artifactType ?? 'unknown';
  const item = { kind: 'referrer', type: listedAs, manifest: descriptor.digest, layers: [] } as const;
  try {
    const stored = await repository.manifest(descriptor.digest);
    if (stored === undefined) return { ...item, fault: 'it is listed and not there' };
    const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
    const config = manifest.kind === 'image' ? manifest.config?.mediaType : undefined;
    const type = manifest.annotations?.[PREDICATE_TYPE] ?? manifest.artifactType ?? config ?? listedAs;
    return { ...item, type, layers: manifest.kind === 'image' ? manifest.layers : [] };
  } catch (error) {
    if (error instanceof RegistryError && CONTENT_FAULTS.has(error.code)) return { ...item, fault: error.message };
    throw error;
  }
}

function layersOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  const manifest = decodeManifest(bytes, mediaType);
  return manifest.kind === 'image' ? manifest.layers : [];
}
