// SPDX-License-Identifier: Apache-2.0
import { caselessNames, isJsonObject, misspeltMember, type CaselessNames, type Json } from '../wire/index.ts';
import { isDigest, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';
import { quoted } from './quoted.ts';

/** Content, named by what it is. @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
  /** a hint that anyone can write: it may order what is fetched and must never exclude */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** what an image in an index runs on */
  readonly platform?: Platform;
}

/** @see https://github.com/opencontainers/image-spec/blob/main/image-index.md#image-index-property-descriptions */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** Bytes of all keys and values of one set of annotations. A legacy signature carries certificates and a log entry there. */
const MAX_ANNOTATION_BYTES = 1024 * 1024;
const MAX_TYPE_LENGTH = 1024;
const MEMBERS = caselessNames(['mediaType', 'digest', 'size', 'artifactType', 'annotations', 'platform']);
const PLATFORM_MEMBERS = caselessNames(['os', 'architecture', 'variant']);

/**
 * Decodes a descriptor from outside.
 *
 * @param where names it in errors, for example `layers[3]`
 * @throws RegistryError `manifest-malformed`
 */
export function decodeDescriptor(json: Json | undefined, where: string): Descriptor {
  if (!isJsonObject(json)) throw malformed(where, `is ${kindOf(json)}, expected a descriptor`);
  refuseMisspelt(json, where, MEMBERS);
  const { digest, size } = json;
  if (typeof digest !== 'string' || !isDigest(digest)) {
    throw malformed(`${where}.digest`, `is ${shown(digest)}, expected sha256:<64 hex> or sha512:<128 hex>`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(`${where}.size`, `is ${shown(size)}, expected a number of bytes`);
  }
  const mediaType = decodeType(json.mediaType, `${where}.mediaType`);
  if (mediaType === undefined) throw malformed(`${where}.mediaType`, 'is missing');
  const artifactType = decodeType(json.artifactType, `${where}.artifactType`);
  const annotations = decodeAnnotations(json.annotations, `${where}.annotations`);
  const platform = decodePlatform(json.platform, `${where}.platform`);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform }),
  };
}

/** The JSON of a descriptor, its members in the order in which cosign writes them. */
export function descriptorJson(descriptor: Descriptor): { readonly [key: string]: Json } {
  const { mediaType, size, digest, artifactType, annotations, platform } = descriptor;
  return {
    mediaType,
    size,
    digest,
    ...(platform === undefined ? {} : { platform: { ...platform } }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** A media type or artifact type; an empty one is as good as none, as Go writes it. */
export function decodeType(json: Json | undefined, where: string): string | undefined {
  if (json === undefined || json === null || json === '') return undefined;
  if (typeof json === 'string' && json.length <= MAX_TYPE_LENGTH) return json;
  throw malformed(where, `is ${shown(json)}, expected a string of at most ${MAX_TYPE_LENGTH} characters`);
}

/** A map of strings. @see https://github.com/opencontainers/image-spec/blob/main/annotations.md#rules */
export function decodeAnnotations(json: Json | undefined, where: string): Readonly<Record<string, string>> | undefined {
  if (json === undefined || json === null) return undefined;
  if (!isJsonObject(json)) throw malformed(where, `is ${kindOf(json)}, expected an object`);
  let bytes = 0;
  for (const [key, value] of Object.entries(json)) {
    if (typeof value !== 'string') throw malformed(where, `has ${quoted(key)} as ${kindOf(value)}, expected a string`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (bytes > MAX_ANNOTATION_BYTES) throw malformed(where, `hold more than ${MAX_ANNOTATION_BYTES} bytes`);
  }
  return json as Readonly<Record<string, string>>;
}

/** Only ever shown or compared, so what is not one counts as none. */
function decodePlatform(json: Json | undefined, where: string): Platform | undefined {
  if (!isJsonObject(json)) return undefined;
  refuseMisspelt(json, where, PLATFORM_MEMBERS);
  const { os, architecture, variant } = json;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

/**
 * Refuses a member that Go reads as one of these in spite of its case, as `Digest` beside `digest`: whoever pulls the image would read something
 * else in the same bytes than was judged.
 */
export function refuseMisspelt(json: { readonly [key: string]: Json }, where: string, members: CaselessNames): void {
  const found = misspeltMember(json, members);
  if (found !== undefined) throw malformed(where, `has ${quoted(found)}, which some read as another member`);
}

/** The error for a manifest that cannot be used. @param where the member that is wrong */
export function malformed(where: string, problem: string, options: ErrorOptions = {}): RegistryError {
  return new RegistryError('manifest-malformed', `${where} ${problem}`, options);
}

function kindOf(json: Json | undefined): string {
  if (json === undefined) return 'missing';
  if (json === null) return 'null';
  if (Array.isArray(json)) return 'an array';
  return typeof json === 'object' ? 'an object' : `a ${typeof json}`;
}

function shown(json: Json | undefined): string {
  if (typeof json === 'string') return quoted(json);
  return typeof json === 'number' ? String(json) : kindOf(json);
}
