// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { decodeDescriptor, descriptorJson, type Descriptor } from '../descriptor.ts';
import { digestAlgorithm, digestHex, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeIndexJson, digestOfEntry, encodeIndexJson, type IndexJson } from '../index-json.ts';
import { isRefName } from '../location.ts';
import { isManifestMediaType, ManifestLimit } from '../manifest.ts';
import { quoted } from '../quoted.ts';

/** @see https://github.com/opencontainers/image-spec/blob/main/annotations.md#pre-defined-annotation-keys */
const REF_NAME = 'org.opencontainers.image.ref.name';
/** The full name that containerd and docker write beside a bare tag. */
const CONTAINERD_NAME = 'io.containerd.image.name';
/** What `cosign save` writes instead of names. */
const KIND = 'kind';
const KIND_PREFIX = 'dev.cosignproject.cosign/';
const ATTACHED_KINDS: ReadonlyMap<string, string> = new Map([
  ['sig', `${KIND_PREFIX}sigs`],
  ['att', `${KIND_PREFIX}atts`],
]);
const IMAGE_KINDS: ReadonlySet<string | undefined> = new Set([`${KIND_PREFIX}image`, `${KIND_PREFIX}imageIndex`]);
/** Says what lies in a layout that was saved as a kit: no image. */
const KIT_TYPE = 'application/vnd.bulla.kit.v1+json';
const ATTACHED_TAG = /^(sha256|sha512)-([0-9a-f]{64,128})(?:\.([a-z]+))?$/;

interface Entry {
  readonly descriptor: Descriptor;
  /** its place among all entries of the file */
  readonly place: number;
}

/**
 * A layout's `index.json`: what stands in it and how it is changed. Every change keeps the other entries with all their members.
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md#indexjson-file
 */
export class LayoutIndex {
  readonly #json: IndexJson;
  readonly #entries: readonly Entry[];

  private constructor(json: IndexJson) {
    this.#json = json;
    this.#entries = decodeEntries(json.entries);
  }

  static empty(): LayoutIndex {
    return new LayoutIndex({ others: {}, entries: [] });
  }

  /** An index of these entries, with all that they say. */
  static of(entries: readonly Descriptor[]): LayoutIndex {
    return new LayoutIndex({ others: {}, entries: entries.map((entry) => descriptorJson(entry)) });
  }

  /** @throws RegistryError `manifest-malformed`, `too-large` */
  static decode(bytes: Uint8Array): LayoutIndex {
    const json = decodeIndexJson(bytes);
    if (json.entries.length > ManifestLimit.indexEntries) {
      const message = `has ${json.entries.length} entries, at most ${ManifestLimit.indexEntries} are read`;
      throw new RegistryError('too-large', message);
    }
    return new LayoutIndex(json);
  }

  /** @throws RegistryError `too-large` */
  encode(): Uint8Array {
    return encodeIndexJson(this.#json);
  }

  /** What the entries name, each digest once. Entries that are no descriptors of a manifest are left out. */
  get descriptors(): readonly Descriptor[] {
    return [...new Map(this.#entries.map(({ descriptor }) => [descriptor.digest, descriptor])).values()];
  }

  /**
   * What a tag names. Names that containerd wrote count too, and `sha256-<hex>.sig` and `.att` where `cosign save` marked them by kind.
   * @throws RegistryError `layout-malformed` where it names several manifests: picking one would be a guess
   */
  find(tag: string): Descriptor | undefined {
    const found = new Map(this.#named(tag).map(({ descriptor }) => [descriptor.digest, descriptor]));
    if (found.size <= 1) return found.values().next().value;
    const digests = [...found.keys()].join(', ');
    throw new RegistryError('layout-malformed', `${quoted(tag)} names ${found.size} manifests: ${digests}`);
  }

  /** All that {@link find} finds something under, in lexical order. */
  get tags(): readonly string[] {
    const names = this.#entries.flatMap(({ descriptor }) => {
      const { [REF_NAME]: name, [CONTAINERD_NAME]: fullName } = descriptor.annotations ?? {};
      return [name ?? fullName ?? ''];
    });
    const saved = this.#savedImage();
    for (const [suffix, kind] of ATTACHED_KINDS) {
      const marked = this.#entries.some((entry) => kindOf(entry) === kind);
      if (saved !== undefined && marked) names.push(`${attachedTag(saved.digest)}.${suffix}`);
    }
    return [...new Set(names.filter(isRefName))].toSorted();
  }

  /** What was not put there as the seal, attestation or referrers index of something else, nor to say what was saved. */
  get images(): readonly Descriptor[] {
    const entries = this.#entries.filter((entry) => {
      const name = entry.descriptor.annotations?.[REF_NAME];
      return (
        entry.descriptor.artifactType !== KIT_TYPE &&
        ![...ATTACHED_KINDS.values()].includes(kindOf(entry) ?? '') &&
        (name === undefined || !ATTACHED_TAG.test(name))
      );
    });
    return [...new Map(entries.map(({ descriptor }) => [descriptor.digest, descriptor])).values()];
  }

  /**
   * The index with a manifest added, under a tag if one is given. An entry that has the tag is replaced and keeps its marks; what it
   * named is still in `blobs/`.
   *
   * @param children what the manifest names itself: they need no entry of their own beside it
   * @throws RegistryError `layout-malformed` where the tag names several manifests: all but one would be lost
   */
  put(descriptor: Descriptor, tag: string | undefined, children: readonly Digest[]): LayoutIndex {
    if (tag !== undefined) this.find(tag);
    const [named, ...doubles] = tag === undefined ? [] : this.#named(tag);
    const dropped = new Set([...doubles.map(({ place }) => place), ...this.#bare(children)]);
    const entries: Json[] = [...this.#json.entries];
    if (tag !== undefined) {
      for (const place of this.#bare([descriptor.digest])) dropped.add(place);
      if (named === undefined) entries.push(entryJson(descriptor, { [REF_NAME]: tag }));
      else if (named.descriptor.digest !== descriptor.digest) {
        entries[named.place] = entryJson(descriptor, marksOf(named));
      }
    } else if (this.#entries.every((entry) => entry.descriptor.digest !== descriptor.digest)) {
      entries.push(entryJson(descriptor, {}));
    }
    return this.#with(entries.filter((_, place) => !dropped.has(place)));
  }

  /** The index without a tag. What the tag named stays listed. */
  removeTag(tag: string): LayoutIndex {
    const named = new Map(this.#named(tag).map((entry) => [entry.place, entry]));
    const [first] = named.values();
    const listedElsewhere = this.#entries.some(
      ({ descriptor, place }) => descriptor.digest === first?.descriptor.digest && !named.has(place),
    );
    const entries = this.#json.entries.flatMap((json, place) => {
      const entry = named.get(place);
      if (entry === undefined) return [json];
      const { [REF_NAME]: name, [CONTAINERD_NAME]: fullName, ...others } = marksOf(entry);
      const marks = name === undefined && fullName === undefined ? {} : others;
      const keeps = (entry === first && !listedElsewhere) || Object.keys(marks).length > 0;
      return keeps ? [entryJson(entry.descriptor, marks)] : [];
    });
    return this.#with(entries);
  }

  /** The index without any entry of a digest. */
  removeDigest(digest: Digest): LayoutIndex {
    return this.#with(this.#json.entries.filter((entry) => digestOfEntry(entry) !== digest));
  }

  #with(entries: readonly Json[]): LayoutIndex {
    return new LayoutIndex({ others: this.#json.others, entries });
  }

  #named(tag: string): readonly Entry[] {
    if (!isRefName(tag)) return [];
    const named = this.#entries.filter(({ descriptor: { annotations } }) => {
      return annotations?.[REF_NAME] === tag || annotations?.[CONTAINERD_NAME] === tag;
    });
    return named.length > 0 ? named : this.#attachedAs(tag);
  }

  /** The entries that `cosign save` marked as the signatures or attestations of the image that it saved. */
  #attachedAs(tag: string): readonly Entry[] {
    const [, algorithm, hex, suffix] = ATTACHED_TAG.exec(tag) ?? [];
    const kind = ATTACHED_KINDS.get(suffix ?? '');
    if (kind === undefined || this.#savedImage()?.digest !== `${algorithm}:${hex}`) return [];
    return this.#entries.filter((entry) => kindOf(entry) === kind);
  }

  /** The one image of a saved layout. Beside several, nothing says whose the marked signatures are. */
  #savedImage(): Descriptor | undefined {
    const images = this.#entries.filter((entry) => IMAGE_KINDS.has(kindOf(entry)));
    const [image, ...others] = new Map(images.map(({ descriptor }) => [descriptor.digest, descriptor])).values();
    return others.length === 0 ? image : undefined;
  }

  /** Entries of these digests that carry no mark. */
  #bare(digests: readonly Digest[]): readonly number[] {
    const wanted = new Set(digests);
    const bare = this.#entries.filter((entry) => {
      return wanted.has(entry.descriptor.digest) && Object.keys(marksOf(entry)).length === 0;
    });
    return bare.map(({ place }) => place);
  }
}

/** Entries that name manifests; others, and what is no descriptor, stay in the file and are not seen. */
function decodeEntries(entries: readonly Json[]): readonly Entry[] {
  return entries.flatMap((json, place) => {
    try {
      const descriptor = decodeDescriptor(json, `manifests[${place}]`);
      return isManifestMediaType(descriptor.mediaType) ? [{ descriptor, place }] : [];
    } catch (error) {
      if (error instanceof RegistryError) return [];
      throw error;
    }
  });
}

function entryJson(descriptor: Descriptor, marks: Readonly<Record<string, string>>): Json {
  const { mediaType, digest, size } = descriptor;
  const json = descriptorJson({ mediaType, digest, size });
  return Object.keys(marks).length === 0 ? json : { ...json, annotations: marks };
}

/** The annotations by which an entry is found. All others describe what it named, not what it will name. */
function marksOf(entry: Entry | undefined): Readonly<Record<string, string>> {
  const annotations = Object.entries(entry?.descriptor.annotations ?? {});
  return Object.fromEntries(annotations.filter(([key]) => [REF_NAME, CONTAINERD_NAME, KIND].includes(key)));
}

function kindOf(entry: Entry): string | undefined {
  return entry.descriptor.annotations?.[KIND];
}

function attachedTag(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}`;
}
