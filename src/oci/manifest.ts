// SPDX-License-Identifier: Apache-2.0
import { caselessNames, isJsonObject, parseJson, type Json } from '../wire/index.ts';
import {
  decodeAnnotations,
  decodeDescriptor,
  decodeType,
  malformed,
  refuseMisspelt,
  type Descriptor,
} from './descriptor.ts';
import { RegistryError } from './error.ts';
import { MANIFEST_MEDIA_TYPES, MediaType } from './media-type.ts';
import { quoted } from './quoted.ts';

interface ManifestCommon {
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** @see https://github.com/opencontainers/image-spec/blob/main/manifest.md */
export interface ImageManifest extends ManifestCommon {
  readonly kind: 'image';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  /** none: an image has no children */
  readonly manifests: readonly [];
}

/** @see https://github.com/opencontainers/image-spec/blob/main/image-index.md */
export interface ImageIndex extends ManifestCommon {
  readonly kind: 'index';
  readonly config?: undefined;
  /** none: an index has no layers of its own */
  readonly layers: readonly [];
  readonly manifests: readonly Descriptor[];
}

/** A manifest that names an image's parts, or an index that names manifests. */
export type Manifest = ImageManifest | ImageIndex;

/** What is read of one manifest. */
export const ManifestLimit: {
  /** bytes of a manifest; what registries accept at least */
  readonly bytes: number;
  /** as cosign reads at most */
  readonly layers: number;
  readonly indexEntries: number;
  /** levels of nesting; a manifest itself needs 4 */
  readonly depth: number;
} = { bytes: 4 * 1024 * 1024, layers: 1000, indexEntries: 10_000, depth: 32 };

const KINDS: ReadonlyMap<string, Manifest['kind']> = new Map([
  [MediaType.imageManifest, 'image'],
  [MediaType.dockerManifest, 'image'],
  [MediaType.imageIndex, 'index'],
  [MediaType.dockerManifestList, 'index'],
]);

const MEMBERS = caselessNames([
  'schemaVersion',
  'mediaType',
  'artifactType',
  'config',
  'layers',
  'manifests',
  'subject',
  'annotations',
]);

/** True for the media types that {@link decodeManifest} reads. Parameters (`; charset=utf-8`) do not matter. */
export function isManifestMediaType(mediaType: string): boolean {
  return MANIFEST_MEDIA_TYPES.includes(essence(mediaType));
}

/**
 * Decodes an image manifest or an index, OCI's or Docker's schema 2.
 *
 * @param mediaType what the registry or a descriptor says it is. Where the manifest says so itself, both must agree: nobody may read
 *   the same bytes as an image here and as an index there (CVE-2021-41190).
 * @throws RegistryError `manifest-malformed`; `too-large` beyond {@link ManifestLimit}
 * @example
 * const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
 * if (manifest.kind === 'index') for (const child of manifest.manifests) …
 */
export function decodeManifest(bytes: Uint8Array, mediaType?: string): Manifest {
  const json = manifestJson(bytes);
  refuseMisspelt(json, 'the manifest', MEMBERS);
  const own = decodeType(json.mediaType, 'mediaType');
  const type = typeOf(json, own, mediaType === undefined ? undefined : essence(mediaType));
  const kind = KINDS.get(type);
  if (kind === undefined)
    throw malformed('the manifest', `is of type ${quoted(type)}, expected an image manifest or index`);
  refuseAmbiguous(json, kind);
  if (json.schemaVersion !== undefined && json.schemaVersion !== 2) {
    throw malformed('schemaVersion', `is ${quoted(JSON.stringify(json.schemaVersion), 20)}, expected 2`);
  }
  const artifactType = decodeType(json.artifactType, 'artifactType');
  const annotations = decodeAnnotations(json.annotations, 'annotations');
  const subject =
    json.subject === undefined || json.subject === null ? undefined : decodeDescriptor(json.subject, 'subject');
  const common = {
    mediaType: type,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  if (kind === 'index') {
    const manifests = decodeList(json.manifests, 'manifests', ManifestLimit.indexEntries);
    return { kind, ...common, layers: [], manifests };
  }
  const config = decodeDescriptor(json.config, 'config');
  return { kind, ...common, config, layers: decodeList(json.layers, 'layers', ManifestLimit.layers), manifests: [] };
}

/** The media type of a manifest by what stands in it; `undefined` for what is none. For storage that keeps no types. */
export function sniffManifestType(bytes: Uint8Array): string | undefined {
  try {
    const json = manifestJson(bytes);
    if (typeof json.mediaType === 'string') return KINDS.has(json.mediaType) ? json.mediaType : undefined;
    if (Array.isArray(json.manifests)) return MediaType.imageIndex;
    return isJsonObject(json.config) && Array.isArray(json.layers) ? MediaType.imageManifest : undefined;
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/**
 * The object in a manifest's bytes, nothing of it checked yet.
 * @throws RegistryError `manifest-malformed`, `too-large`
 */
export function manifestJson(bytes: Uint8Array): { readonly [key: string]: Json } {
  if (bytes.byteLength > ManifestLimit.bytes) throw tooLarge(`${bytes.byteLength} bytes`, `${ManifestLimit.bytes}`);
  let json: Json;
  try {
    json = parseJson(bytes, { what: 'the manifest', maxBytes: ManifestLimit.bytes, maxDepth: ManifestLimit.depth });
  } catch (cause) {
    throw new RegistryError('manifest-malformed', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (!isJsonObject(json)) throw malformed('the manifest', 'is not a JSON object');
  return json;
}

function typeOf(json: { readonly [key: string]: Json }, own: string | undefined, told: string | undefined): string {
  // A registry that serves `application/json` says nothing about the kind.
  const known = told !== undefined && KINDS.has(told) ? told : undefined;
  if (own !== undefined && known !== undefined && own !== known) {
    throw malformed('mediaType', `is ${quoted(own)}, but the manifest was given as ${quoted(known)}`);
  }
  if (own !== undefined) return own;
  if (known !== undefined) return known;
  // OCI allows manifests without mediaType.
  if (Array.isArray(json.manifests)) return MediaType.imageIndex;
  if (isJsonObject(json.config)) return MediaType.imageManifest;
  if (json.schemaVersion === 1)
    throw malformed('the manifest', "is of Docker's schema 1, which names nothing by digest");
  throw malformed('the manifest', 'is neither an image manifest (config, layers) nor an index (manifests)');
}

/** @see https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh */
function refuseAmbiguous(json: { readonly [key: string]: Json }, kind: Manifest['kind']): void {
  const foreign = kind === 'image' ? ['manifests'] : ['layers', 'config'];
  const found = foreign.find((member) => json[member] !== undefined);
  if (found === undefined) return;
  throw malformed(
    'the manifest',
    `is an ${kind === 'image' ? 'image manifest' : 'index'} and has '${found}': it could be read as either`,
  );
}

function decodeList(json: Json | undefined, where: string, limit: number): readonly Descriptor[] {
  if (json === null) return []; // how Go writes an empty list
  if (!Array.isArray(json)) throw malformed(where, 'is not an array');
  if (json.length > limit) throw tooLarge(`${json.length} ${where}`, `${limit}`);
  return json.map((entry: Json, index) => decodeDescriptor(entry, `${where}[${index}]`));
}

function tooLarge(found: string, limit: string): RegistryError {
  return new RegistryError('too-large', `the manifest has ${found}, at most ${limit} are read`);
}

function essence(mediaType: string): string {
  const semicolon = mediaType.indexOf(';');
  return (semicolon === -1 ? mediaType : mediaType.slice(0, semicolon)).trim().toLowerCase();
}
