// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../wire/index.ts';
import { malformed } from './descriptor.ts';
import { RegistryError } from './error.ts';
import { ManifestLimit, manifestJson } from './manifest.ts';
import { MediaType } from './media-type.ts';

/** An index as it was written, to be edited without losing what is not understood. */
export interface IndexJson {
  /** the members besides schemaVersion, mediaType and manifests */
  readonly others: { readonly [key: string]: Json };
  readonly entries: readonly Json[];
}

/** @throws RegistryError `manifest-malformed`, `too-large` where the bytes are no index */
export function decodeIndexJson(bytes: Uint8Array): IndexJson {
  const { schemaVersion: _, mediaType, manifests, ...others } = manifestJson(bytes);
  const isIndex =
    mediaType === undefined || mediaType === MediaType.imageIndex || mediaType === MediaType.dockerManifestList;
  if (!isIndex || others.layers !== undefined || others.config !== undefined) {
    throw malformed('the manifest', 'is not an index');
  }
  if (manifests !== null && !Array.isArray(manifests)) throw malformed('manifests', 'is not an array');
  return { others, entries: manifests ?? [] };
}

/**
 * An OCI index, its members in the order in which cosign writes them.
 * @throws RegistryError `too-large` where it has more entries or bytes than registries and readers take
 */
export function encodeIndexJson({ others, entries }: IndexJson): Uint8Array {
  if (entries.length > ManifestLimit.indexEntries) {
    throw new RegistryError('too-large', `an index takes at most ${ManifestLimit.indexEntries} entries`);
  }
  const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: entries, ...others };
  const bytes = new TextEncoder().encode(JSON.stringify(index));
  if (bytes.byteLength > ManifestLimit.bytes) {
    throw new RegistryError(
      'too-large',
      `the index would have ${bytes.byteLength} bytes, registries take ${ManifestLimit.bytes}`,
    );
  }
  return bytes;
}

/** The digest that an entry names, whatever else it is. */
export function digestOfEntry(entry: Json): Json | undefined {
  return isJsonObject(entry) ? entry.digest : undefined;
}
