// SPDX-License-Identifier: Apache-2.0
import type { BlobToPut, Descriptor, Digest, StoredManifest } from '../../oci/index.ts';
import type { CollectedImage } from './collect-image.ts';
import type { KitImage, KitRecord, KitReferrers } from './kit-document.ts';
import type { SubjectEvidence } from './subject-evidence.ts';

interface Shelf {
  readonly manifests: Map<Digest, Descriptor>;
  readonly tags: Map<string, Digest | null>;
  readonly referrers: Map<Digest, KitReferrers>;
}

/** What a kit holds of each repository, put together image by image. */
export class KitInventory {
  /** what could not be read of evidence */
  readonly faults: string[] = [];
  readonly #shelves: Map<string, Shelf> = new Map();
  readonly #manifests: Map<Digest, StoredManifest> = new Map();
  readonly #evidence: Map<Digest, BlobToPut> = new Map();

  /** Every manifest, each once. */
  get manifests(): readonly StoredManifest[] {
    return [...this.#manifests.values()];
  }

  /** The blobs of evidence, each once. */
  get evidenceBlobs(): readonly BlobToPut[] {
    return [...this.#evidence.values()];
  }

  add(image: KitImage, { parts, evidence }: CollectedImage): void {
    const shelf = this.#shelf(image.name);
    for (const stored of parts.manifests) this.#keep(shelf, stored);
    if (image.tag !== undefined) shelf.tags.set(image.tag, image.digest);
    const [own] = evidence;
    for (const one of evidence) {
      // The image may be called otherwise than where it was read; so is what lies beside it.
      this.#addEvidence(one.repository === own?.repository ? shelf : this.#shelf(one.repository.name), one);
    }
  }

  /** What each repository answered, in the order of their names. */
  records(): readonly KitRecord[] {
    const shelves = [...this.#shelves].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return shelves.map(([name, { manifests, tags, referrers }]) => ({
      name,
      manifests: [...manifests.values()],
      tags,
      referrers,
    }));
  }

  #addEvidence(shelf: Shelf, { subject, tags, referrers, truncated, manifests, blobs, faults }: SubjectEvidence): void {
    for (const [tag, stored] of tags) {
      shelf.tags.set(tag, stored?.descriptor.digest ?? null);
      if (stored !== undefined) this.#keep(shelf, stored);
    }
    for (const stored of manifests) this.#keep(shelf, stored);
    shelf.referrers.set(subject, { descriptors: referrers, truncated });
    for (const blob of blobs) this.#evidence.set(blob.digest, blob);
    this.faults.push(...faults);
  }

  #keep(shelf: Shelf, stored: StoredManifest): void {
    const { mediaType, digest, size } = stored.descriptor;
    shelf.manifests.set(digest, { mediaType, digest, size });
    this.#manifests.set(digest, stored);
  }

  #shelf(name: string): Shelf {
    const known = this.#shelves.get(name);
    if (known !== undefined) return known;
    const shelf: Shelf = { manifests: new Map(), tags: new Map(), referrers: new Map() };
    this.#shelves.set(name, shelf);
    return shelf;
  }
}
