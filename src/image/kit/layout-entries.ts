// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, RegistryError, type Descriptor, type Digest } from '../../oci/index.ts';
import { attachedTag } from '../attached-tag.ts';
import type { CollectedImage } from './collect-image.ts';
import { KIT_TYPE, type KitImage } from './kit-document.ts';

/** @see https://github.com/opencontainers/image-spec/blob/main/annotations.md#pre-defined-annotation-keys */
const REF_NAME = 'org.opencontainers.image.ref.name';
/** where containerd and docker look for a full name */
const CONTAINERD_NAME = 'io.containerd.image.name';
/** by which `cosign load` finds what it loads */
const KIND = 'kind';
const COSIGN = 'dev.cosignproject.cosign';

/**
 * The entries of a kit's `index.json`, for other programs: images by their full names, signatures and attestations by their tags, other
 * evidence by digest. Where there is one image, the entries are marked as `cosign save` marks them, so that cosign loads them.
 */
export function layoutEntries(
  images: readonly { readonly image: KitImage; readonly content: CollectedImage }[],
): readonly Descriptor[] {
  const entries = new Entries();
  const [sole, ...others] = images;
  for (const { image, content } of images) {
    const name = `${image.name}${image.tag === undefined ? `@${image.digest}` : `:${image.tag}`}`;
    const kind = kindOf(content);
    const marks = others.length === 0 ? { [KIND]: `${COSIGN}/${kind}` } : {};
    entries.add(content.parts.root, { ...marks, [REF_NAME]: name, [CONTAINERD_NAME]: name });
  }
  const marked = new Map<string, string>();
  if (sole !== undefined && others.length === 0) {
    marked.set(attachedTag(sole.image.digest, 'signature'), `${COSIGN}/sigs`);
    marked.set(attachedTag(sole.image.digest, 'attestation'), `${COSIGN}/atts`);
  }
  for (const { content } of images) {
    for (const { tags, manifests } of content.evidence) {
      for (const [tag, stored] of tags) {
        if (stored === undefined) continue;
        const kind = marked.get(tag);
        entries.add(stored.descriptor, { ...(kind === undefined ? {} : { [KIND]: kind }), [REF_NAME]: tag });
      }
      for (const { descriptor, bytes } of manifests) entries.addReferrer(descriptor, bytes);
    }
  }
  return entries.all;
}

class Entries {
  readonly #named: Map<string, Digest> = new Map();
  readonly #entries: Map<string, Descriptor> = new Map();

  get all(): readonly Descriptor[] {
    return [...this.#entries.values()];
  }

  /** An entry under a name. Of two that would have the same, the second has none: a name that stands for two things is refused by readers. */
  add({ mediaType, digest, size }: Descriptor, { [REF_NAME]: name = '', ...marks }: Record<string, string>): void {
    const taken = this.#named.get(name);
    if (taken !== undefined && taken !== digest) {
      if (![...this.#entries.values()].some((entry) => entry.digest === digest))
        this.#entries.set(digest, { mediaType, digest, size });
      return;
    }
    this.#named.set(name, digest);
    this.#entries.set(`${digest} ${name}`, { mediaType, digest, size, annotations: { ...marks, [REF_NAME]: name } });
  }

  addReferrer({ mediaType, digest, size }: Descriptor, bytes: Uint8Array): void {
    const artifactType = artifactTypeOf(bytes, mediaType);
    this.#entries.set(digest, { mediaType, digest, size, ...(artifactType === undefined ? {} : { artifactType }) });
  }
}

function kindOf({ parts }: CollectedImage): string {
  const root = parts.manifests.at(-1);
  return root !== undefined && decodeManifest(root.bytes, root.descriptor.mediaType).kind === 'index'
    ? 'imageIndex'
    : 'image';
}

function artifactTypeOf(bytes: Uint8Array, mediaType: string): string | undefined {
  try {
    const { artifactType } = decodeManifest(bytes, mediaType);
    // A stranger's referrer is not taken for what says that this is a kit.
    return artifactType === KIT_TYPE ? undefined : artifactType;
  } catch (error) {
    if (error instanceof RegistryError) return undefined; // it lies there as it was found
    throw error;
  }
}
