// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../wire/index.ts';
import { decodeDescriptor, descriptorJson, type Descriptor } from './descriptor.ts';
import { digestAlgorithm, digestHex, digestOf, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';
import { decodeIndexJson, digestOfEntry, encodeIndexJson } from './index-json.ts';
import { decodeManifest, ManifestLimit } from './manifest.ts';
import type { ReferrersListing, Repository } from './repository.ts';

/**
 * The tag under which an index of referrers stands where a registry has no referrers API.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
 */
export function fallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`;
}

/**
 * How a manifest is listed among the referrers of its subject.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 * @throws RegistryError `manifest-malformed`, `too-large`
 */
export function describeReferrer(bytes: Uint8Array, mediaType: string): Descriptor {
  const manifest = decodeManifest(bytes, mediaType);
  const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
  return {
    mediaType: manifest.mediaType,
    size: bytes.byteLength,
    digest: digestOf(bytes),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(manifest.annotations === undefined ? {} : { annotations: manifest.annotations }),
  };
}

/** The entries of an index that could be read. */
export interface IndexEntries {
  /** one for each digest, in the order of the index */
  readonly descriptors: readonly Descriptor[];
  /** entries that are no descriptors and were left out */
  readonly malformed: number;
  /** true where the index has more entries than are read */
  readonly truncated: boolean;
}

/**
 * Reads a listing of referrers. Anyone may have written an entry, so a malformed one is counted and hides no other.
 *
 * @throws RegistryError `manifest-malformed`, `too-large` where the document as a whole is no index
 */
export function decodeIndexEntries(bytes: Uint8Array): IndexEntries {
  return readEntries(decodeIndexJson(bytes).entries, ManifestLimit.indexEntries);
}

/**
 * An index with an entry added. Every other entry keeps its place and all its members, known or not. An entry of the same digest is
 * replaced; where it already says the same, the very bytes that came in go out.
 *
 * @param existing the index as it is stored, or `undefined` for a new one
 * @throws RegistryError `manifest-malformed` where what is stored is no index; `too-large` where the entry does not fit any more
 */
export function mergeIndex(existing: Uint8Array | undefined, entry: Descriptor): Uint8Array {
  const index = existing === undefined ? { others: {}, entries: [] } : decodeIndexJson(existing);
  const added = descriptorJson(entry);
  const places = index.entries.flatMap((other, place) => (digestOfEntry(other) === entry.digest ? [place] : []));
  const [first] = places;
  if (existing !== undefined && first !== undefined && places.length === 1) {
    if (JSON.stringify(index.entries[first]) === JSON.stringify(added)) return existing;
  }
  const entries = index.entries.filter((other, place) => place === first || digestOfEntry(other) !== entry.digest);
  if (first === undefined) entries.push(added);
  else entries[first] = added; // what was dropped stood behind it
  return encodeIndexJson({ others: index.others, entries });
}

/** An index without the entries of a digest; the very bytes that came in where it has none. Errors as {@link mergeIndex}. */
export function removeFromIndex(existing: Uint8Array, digest: Digest): Uint8Array {
  const { others, entries } = decodeIndexJson(existing);
  const kept = entries.filter((entry) => digestOfEntry(entry) !== digest);
  return kept.length === entries.length ? existing : encodeIndexJson({ others, entries: kept });
}

/**
 * The referrers that stand under the fallback tag of a subject.
 *
 * @throws RegistryError `manifest-malformed` where something else than an index has that tag: then nothing is known
 */
export async function readFallbackReferrers(repository: Repository, subject: Digest): Promise<ReferrersListing> {
  const tag = fallbackTag(subject);
  const stored = await repository.manifest(tag);
  // `cosign copy` leaves the image itself under this tag: that lists nothing
  if (stored === undefined || stored.descriptor.digest === subject) {
    return { place: 'fallback-tag', descriptors: [], truncated: false, exists: false };
  }
  try {
    const { descriptors, truncated } = decodeIndexEntries(stored.bytes);
    return { place: 'fallback-tag', descriptors, truncated, exists: true };
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    const message = `the referrers tag ${repository.name}:${tag} is no index of referrers: ${cause.message}`;
    throw new RegistryError(cause.code, message, { cause });
  }
}

function readEntries(entries: readonly Json[], limit: number): IndexEntries {
  const descriptors = new Map<Digest, Descriptor>();
  let skipped = 0;
  for (const [at, entry] of entries.slice(0, limit).entries()) {
    try {
      const descriptor = decodeDescriptor(entry, `manifests[${at}]`);
      if (!descriptors.has(descriptor.digest)) descriptors.set(descriptor.digest, descriptor);
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      skipped++;
    }
  }
  return { descriptors: [...descriptors.values()], malformed: skipped, truncated: entries.length > limit };
}
