// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from './descriptor.ts';
import { digestAlgorithm, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';
import { decodeManifest, isManifestMediaType, type Manifest } from './manifest.ts';
import type { BlobToPut } from './put-blobs.ts';
import type { Repository, StoredManifest } from './repository.ts';

/** What an image is made of, found from the top down. */
export interface ImageParts {
  /** what the image's name stands for */
  readonly root: Descriptor;
  /** children before those who name them; the root is last */
  readonly manifests: readonly StoredManifest[];
  readonly blobs: readonly BlobToPut[];
  /** the manifests whose blobs are not among them, because they were not wanted */
  readonly unwanted: ReadonlySet<Digest>;
}

/** An index may hold indexes. */
const MAX_DEPTH = 4;
const MAX_MANIFESTS = 10_000;
/** Bytes of all manifests of one image: they are in memory until they are written. */
const MAX_MANIFEST_BYTES = 128 * 1024 * 1024;

/** Layers that need not be in a registry. @see https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers */
const FOREIGN = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

/**
 * Finds all manifests of an image and the blobs that they name. The target is resolved once; no blob is read.
 *
 * @param wants whether the blobs of what an index lists are wanted; all are unless told
 * @returns `undefined` where the repository does not have it
 * @throws RegistryError `content-missing` where a manifest names what is not there; `too-large`; `unsupported` for manifests named by sha512
 */
export async function readImageParts(
  from: Repository,
  target: string,
  wants: (child: Descriptor) => boolean = () => true,
): Promise<ImageParts | undefined> {
  const root = await from.manifest(target);
  if (root === undefined) return undefined;
  const walk = new Walk(from, wants);
  await walk.add(root, 0, true);
  return {
    root: root.descriptor,
    manifests: walk.manifests,
    blobs: [...walk.blobs.values()],
    unwanted: walk.unwanted,
  };
}

class Walk {
  readonly manifests: StoredManifest[] = [];
  readonly blobs: Map<Digest, BlobToPut> = new Map();
  readonly unwanted: Set<Digest> = new Set();
  readonly #seen = new Set<Digest>();
  readonly #from: Repository;
  readonly #wants: (child: Descriptor) => boolean;
  #bytes = 0;

  constructor(from: Repository, wants: (child: Descriptor) => boolean) {
    this.#from = from;
    this.#wants = wants;
  }

  async add(stored: StoredManifest, depth: number, wanted: boolean): Promise<void> {
    const { digest, mediaType } = stored.descriptor;
    this.#seen.add(digest);
    if (this.#seen.size > MAX_MANIFESTS) throw this.#tooLarge(`more than ${MAX_MANIFESTS} manifests`);
    this.#bytes += stored.bytes.byteLength;
    if (this.#bytes > MAX_MANIFEST_BYTES) throw this.#tooLarge(`more than ${MAX_MANIFEST_BYTES} bytes of manifests`);
    if (depth > MAX_DEPTH) throw this.#tooLarge(`indexes nested deeper than ${MAX_DEPTH}`);
    if (digestAlgorithm(digest) !== 'sha256') {
      throw new RegistryError('unsupported', `${digest}: manifests are copied by sha256 only`);
    }
    const manifest = decodeManifest(stored.bytes, mediaType);
    for (const child of manifest.manifests) await this.#addChild(child, digest, depth);
    if (wanted) await this.#addBlobs(manifest, digest);
    else this.unwanted.add(digest);
    this.manifests.push(stored);
  }

  async #addChild(child: Descriptor, parent: Digest, depth: number): Promise<void> {
    // An index may also name content that is no manifest.
    if (!isManifestMediaType(child.mediaType)) return this.#addBlob(child, parent);
    if (this.#seen.has(child.digest)) return;
    const stored = await this.#from.manifest(child.digest);
    if (stored === undefined) throw this.#missing(child, parent);
    await this.add(stored, depth + 1, this.#wants(child));
  }

  async #addBlobs(manifest: Manifest, parent: Digest): Promise<void> {
    for (const blob of manifest.config === undefined ? [] : [manifest.config, ...manifest.layers]) {
      if (FOREIGN.test(blob.mediaType) && !(await this.#from.hasBlob(blob.digest))) continue;
      this.#addBlob(blob, parent);
    }
  }

  #addBlob(blob: Descriptor, parent: Digest): void {
    const from = this.#from;
    const missing = (): RegistryError => this.#missing(blob, parent);
    this.blobs.set(blob.digest, {
      digest: blob.digest,
      size: blob.size,
      mountFrom: from.name,
      async *open() {
        const stream = await from.openBlob(blob.digest);
        if (stream === undefined) throw missing();
        yield* stream.body;
      },
    });
  }

  #missing(part: Descriptor, parent: Digest): RegistryError {
    return new RegistryError('content-missing', `${this.#from.name} has no ${part.digest}, which ${parent} names`);
  }

  #tooLarge(found: string): RegistryError {
    return new RegistryError('too-large', `an image of ${this.#from.name} has ${found}`);
  }
}
