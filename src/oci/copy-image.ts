// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from './descriptor.ts';
import { digestAlgorithm, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';
import { decodeManifest, isManifestMediaType, type Manifest } from './manifest.ts';
import { putBlobs, type BlobToPut } from './put-blobs.ts';
import type { Progress, Repository, StoredManifest } from './repository.ts';

/** How an image is copied. */
export interface CopyOptions {
  /** without it, the image is there by its digest only */
  readonly tag?: string;
  /** over all blobs of the image and its children */
  readonly progress?: Progress;
}

/** An index may hold indexes. */
const MAX_DEPTH = 4;
const MAX_MANIFESTS = 10_000;
/** Bytes of all manifests of one image: they are in memory until they are written. */
const MAX_MANIFEST_BYTES = 128 * 1024 * 1024;

/** Layers that need not be in a registry. @see https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers */
const FOREIGN = /^application\/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.)/;

/**
 * Copies an image, or an index with all its children, with the exact bytes of every manifest. Blobs are mounted where both ends are of
 * one registry, streamed otherwise, and come before the manifests that name them. The target is resolved once.
 *
 * @returns what was copied; `undefined` where the source does not have it
 * @throws RegistryError `content-missing` where a manifest names what is not there; `unsupported` for manifests named by sha512
 * @example await copyImage(layout, repository, 'v1', { tag: 'v1' });
 */
export async function copyImage(
  from: Repository,
  to: Repository,
  target: string,
  options: CopyOptions = {},
): Promise<Descriptor | undefined> {
  const root = await from.manifest(target);
  if (root === undefined) return undefined;
  const parts = new ImageParts(from);
  await parts.add(root, 0);
  await putBlobs(to, parts.blobs, options.progress);
  const last = parts.manifests.length - 1;
  for (const [at, { bytes, descriptor }] of parts.manifests.entries()) {
    const tagged = at === last && options.tag !== undefined ? { tag: options.tag } : {};
    const written = await to.putManifest(bytes, descriptor.mediaType, tagged);
    if (written.descriptor.digest !== descriptor.digest) {
      const message = `${to.name} took ${descriptor.digest} as ${written.descriptor.digest}`;
      throw new RegistryError('digest-mismatch', message);
    }
  }
  return root.descriptor;
}

/** What an image is made of, found from the top down. */
class ImageParts {
  /** children before those who name them; the root is last */
  readonly manifests: StoredManifest[] = [];
  readonly #blobs = new Map<Digest, BlobToPut>();
  readonly #seen = new Set<Digest>();
  readonly #from: Repository;
  #bytes = 0;

  constructor(from: Repository) {
    this.#from = from;
  }

  get blobs(): readonly BlobToPut[] {
    return [...this.#blobs.values()];
  }

  async add(stored: StoredManifest, depth: number): Promise<void> {
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
    await this.#addBlobs(manifest, digest);
    this.manifests.push(stored);
  }

  async #addChild(child: Descriptor, parent: Digest, depth: number): Promise<void> {
    // An index may also name content that is no manifest.
    if (!isManifestMediaType(child.mediaType)) return this.#addBlob(child, parent);
    if (this.#seen.has(child.digest)) return;
    const stored = await this.#from.manifest(child.digest);
    if (stored === undefined) throw this.#missing(child, parent);
    await this.add(stored, depth + 1);
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
    this.#blobs.set(blob.digest, {
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
