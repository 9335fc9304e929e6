// SPDX-License-Identifier: Apache-2.0
import { isDigest, isRepositoryPath, isTag, type Descriptor, type Digest } from '../../oci/index.ts';
import { canonicalJson, CodedError, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { ImageError } from '../error.ts';

/** The media type of a kit's document, and the artifact type of the manifest that names it in a layout. */
export const KIT_TYPE = 'application/vnd.bulla.kit.v1+json';

/** An image of a kit. */
export interface KitImage {
  /** `registry/repository`, as signatures and policies name it */
  readonly name: string;
  readonly tag?: string;
  readonly digest: Digest;
  /** of an index, the platform whose layers are there; all of them where it is absent */
  readonly platform?: string;
}

/** A file of a kit that this room does not look into. */
export interface KitFileEntry {
  readonly name: string;
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
}

/** What was found in one repository when the kit was saved: what was asked, and what the answer was. */
export interface KitRecord {
  readonly name: string;
  /** all that can be had by digest */
  readonly manifests: readonly Descriptor[];
  /** null where nothing had the tag */
  readonly tags: ReadonlyMap<string, Digest | null>;
  readonly referrers: ReadonlyMap<Digest, KitReferrers>;
}

/** What referred to a manifest. */
export interface KitReferrers {
  readonly descriptors: readonly Descriptor[];
  readonly truncated: boolean;
}

/** What stands in a kit. */
export interface KitDocument {
  readonly images: readonly KitImage[];
  readonly repositories: readonly KitRecord[];
  readonly policies: readonly KitFileEntry[];
  readonly trustedRoot?: KitFileEntry;
  /** of TrustRoot documents that are TUF repositories, by the name of the document */
  readonly trustRoots: readonly KitFileEntry[];
}

/** What is read of a document. */
export const KIT_DOCUMENT_LIMITS: {
  readonly bytes: number;
  readonly images: number;
  readonly repositories: number;
  /** manifests, tags or subjects of one repository */
  readonly entries: number;
  readonly files: number;
} = { bytes: 64 * 1024 * 1024, images: 10_000, repositories: 10_000, entries: 100_000, files: 1000 };

const VERSION = 1;
const MAX_TEXT = 1024;

/** The document's bytes: the same kit, the same bytes. */
export function encodeKitDocument(document: KitDocument): Uint8Array {
  const { images, repositories, policies, trustedRoot, trustRoots } = document;
  const json: Json = {
    version: VERSION,
    images: images.map((image) => ({ ...image })),
    repositories: repositories.map(({ name, manifests, tags, referrers }) => ({
      name,
      manifests: manifests.map(descriptorOf),
      tags: Object.fromEntries(tags),
      referrers: Object.fromEntries(
        [...referrers].map(([subject, { descriptors, truncated }]) => [
          subject,
          { descriptors: descriptors.map(descriptorOf), truncated },
        ]),
      ),
    })),
    policies: policies.map((file) => ({ ...file })),
    trustRoots: trustRoots.map((file) => ({ ...file })),
    ...(trustedRoot === undefined ? {} : { trustedRoot: { ...trustedRoot } }),
  };
  return new TextEncoder().encode(canonicalJson(json));
}

/**
 * Decodes a kit's document, strictly: an unknown member is a newer version's, which might decide otherwise.
 *
 * @throws ImageError `kit-malformed`
 */
export function decodeKitDocument(bytes: Uint8Array): KitDocument {
  const top = object(
    parsed(bytes),
    'the kit',
    ['version', 'images', 'repositories', 'policies', 'trustRoots'],
    ['trustedRoot'],
  );
  if (top['version'] !== VERSION) throw malformed('version', `is ${shown(top['version'])}, expected ${VERSION}`);
  const limits = KIT_DOCUMENT_LIMITS;
  const trustedRoot = top['trustedRoot'];
  return {
    images: list(top['images'], 'images', limits.images, readImageEntry),
    repositories: list(top['repositories'], 'repositories', limits.repositories, record),
    policies: list(top['policies'], 'policies', limits.files, readFileEntry),
    trustRoots: list(top['trustRoots'], 'trustRoots', limits.files, readFileEntry),
    ...(trustedRoot === undefined ? {} : { trustedRoot: readFileEntry(trustedRoot, 'trustedRoot') }),
  };
}

function parsed(bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, {
      what: 'the kit',
      maxBytes: KIT_DOCUMENT_LIMITS.bytes,
      maxDepth: 16,
      maxValues: 2_000_000,
    });
  } catch (cause) {
    if (cause instanceof CodedError) throw new ImageError('kit-malformed', cause.message, { cause });
    throw cause;
  }
}

function readImageEntry(json: Json, where: string): KitImage {
  const members = object(json, where, ['name', 'digest'], ['tag', 'platform']);
  const { tag, platform } = members;
  if (tag !== undefined && (typeof tag !== 'string' || !isTag(tag)))
    throw malformed(`${where}.tag`, `is ${shown(tag)}, expected a tag`);
  return {
    name: repositoryNamed(members['name'], `${where}.name`),
    digest: digest(members['digest'], `${where}.digest`),
    ...(tag === undefined ? {} : { tag }),
    ...(platform === undefined ? {} : { platform: text(platform, `${where}.platform`) }),
  };
}

function record(json: Json, where: string): KitRecord {
  const members = object(json, where, ['name', 'manifests', 'tags', 'referrers']);
  const { entries } = KIT_DOCUMENT_LIMITS;
  const tags = pairs(members['tags'], `${where}.tags`).map(([tag, value]) => {
    if (!isTag(tag)) throw malformed(`${where}.tags`, `has ${shown(tag)}, expected a tag`);
    return [tag, value === null ? null : digest(value, `${where}.tags.${tag}`)] as const;
  });
  const referrers = pairs(members['referrers'], `${where}.referrers`).map(([subject, value]) => {
    const at = `${where}.referrers.${subject.slice(0, 80)}`;
    const listing = object(value, at, ['descriptors', 'truncated']);
    if (typeof listing['truncated'] !== 'boolean') throw malformed(`${at}.truncated`, 'is not a boolean');
    const descriptors = list(listing['descriptors'], `${at}.descriptors`, entries, descriptor);
    return [digest(subject, `${where}.referrers`), { descriptors, truncated: listing['truncated'] }] as const;
  });
  return {
    name: repositoryNamed(members['name'], `${where}.name`),
    manifests: list(members['manifests'], `${where}.manifests`, entries, descriptor),
    tags: new Map(tags),
    referrers: new Map(referrers),
  };
}

function descriptor(json: Json, where: string): Descriptor {
  const members = object(json, where, ['mediaType', 'digest', 'size'], ['artifactType', 'annotations']);
  const { artifactType, annotations } = members;
  const notes = annotations === undefined ? undefined : pairs(annotations, `${where}.annotations`);
  return {
    mediaType: text(members['mediaType'], `${where}.mediaType`),
    digest: digest(members['digest'], `${where}.digest`),
    size: size(members['size'], `${where}.size`),
    ...(artifactType === undefined ? {} : { artifactType: text(artifactType, `${where}.artifactType`) }),
    ...(notes === undefined
      ? {}
      : { annotations: Object.fromEntries(notes.map(([key, value]) => [key, text(value, `${where}.annotations`)])) }),
  };
}

function readFileEntry(json: Json, where: string): KitFileEntry {
  const members = object(json, where, ['name', 'digest', 'size']);
  return {
    name: text(members['name'], `${where}.name`),
    digest: digest(members['digest'], `${where}.digest`),
    size: size(members['size'], `${where}.size`),
  };
}

/** What a verifier reads of a descriptor: its hints order what is fetched. Notes that are long are no hints. */
function descriptorOf({ mediaType, digest: named, size: bytes, artifactType, annotations }: Descriptor): Json {
  const notes = Object.entries(annotations ?? {}).filter(([, value]) => value !== '' && value.length <= MAX_TEXT);
  return {
    mediaType,
    digest: named,
    size: bytes,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(notes.length === 0 ? {} : { annotations: Object.fromEntries(notes) }),
  };
}

function object(
  json: Json | undefined,
  where: string,
  required: readonly string[],
  optional: readonly string[] = [],
): { readonly [key: string]: Json | undefined } {
  if (!isJsonObject(json)) throw malformed(where, `is ${shown(json)}, expected an object`);
  const missing = required.find((name) => !Object.hasOwn(json, name));
  if (missing !== undefined) throw malformed(`${where}.${missing}`, 'is missing');
  const unknown = Object.keys(json).find((name) => !required.includes(name) && !optional.includes(name));
  if (unknown !== undefined) throw malformed(`${where}.${unknown.slice(0, 80)}`, 'is not known to this version');
  return json;
}

function pairs(json: Json | undefined, where: string): readonly (readonly [string, Json])[] {
  if (!isJsonObject(json)) throw malformed(where, `is ${shown(json)}, expected an object`);
  const entries = Object.entries(json);
  if (entries.length > KIT_DOCUMENT_LIMITS.entries)
    throw malformed(where, `has ${entries.length} members, at most ${KIT_DOCUMENT_LIMITS.entries} are read`);
  return entries;
}

function list<T>(
  json: Json | undefined,
  where: string,
  limit: number,
  item: (json: Json, where: string) => T,
): readonly T[] {
  if (!Array.isArray(json)) throw malformed(where, `is ${shown(json)}, expected an array`);
  if (json.length > limit) throw malformed(where, `has ${json.length} entries, at most ${limit} are read`);
  return json.map((entry: Json, at) => item(entry, `${where}[${at}]`));
}

function text(json: Json | undefined, where: string): string {
  if (typeof json === 'string' && json !== '' && json.length <= MAX_TEXT) return json;
  throw malformed(where, `is ${shown(json)}, expected 1 to ${MAX_TEXT} characters`);
}

function repositoryNamed(json: Json | undefined, where: string): string {
  const name = text(json, where);
  const slash = name.indexOf('/');
  if (slash > 0 && /^[\w.:[\]-]+$/.test(name.slice(0, slash)) && isRepositoryPath(name.slice(slash + 1))) return name;
  throw malformed(where, `is ${shown(name)}, expected registry/repository`);
}

function digest(json: Json | undefined, where: string): Digest {
  if (typeof json === 'string' && isDigest(json)) return json;
  throw malformed(where, `is ${shown(json)}, expected a digest`);
}

function size(json: Json | undefined, where: string): number {
  if (typeof json === 'number' && Number.isSafeInteger(json) && json >= 0) return json;
  throw malformed(where, `is ${shown(json)}, expected a number of bytes`);
}

function shown(json: Json | undefined): string {
  return json === undefined ? 'missing' : JSON.stringify(json).slice(0, 80);
}

function malformed(where: string, problem: string): ImageError {
  return new ImageError('kit-malformed', `the kit's document: ${where} ${problem}`);
}
