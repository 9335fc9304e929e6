// SPDX-License-Identifier: Apache-2.0
import {
  isDigest,
  RegistryError,
  type BlobStream,
  type Descriptor,
  type Digest,
  type ReferrersListing,
  type Repository,
  type StoredManifest,
  type WrittenManifest,
} from '../../oci/index.ts';
import { ImageError } from '../error.ts';
import type { KitRecord } from './kit-document.ts';

/**
 * A repository as it was when a kit was saved. It answers what was asked of the real one then, and nothing else: what was not asked is not
 * known, which is an error and never "not there".
 */
export class KitRepository implements Repository {
  readonly name: string;
  readonly #record: KitRecord;
  readonly #layout: Repository;
  readonly #manifests: ReadonlyMap<Digest, Descriptor>;

  /** @param layout where the bytes are */
  constructor(record: KitRecord, layout: Repository) {
    this.name = record.name;
    this.#record = record;
    this.#layout = layout;
    this.#manifests = new Map(record.manifests.map((descriptor) => [descriptor.digest, descriptor]));
  }

  async resolve(target: string): Promise<Descriptor | undefined> {
    const digest = isDigest(target) ? target : this.#record.tags.get(target);
    if (digest === null) return undefined;
    const descriptor = digest === undefined ? undefined : this.#manifests.get(digest);
    if (descriptor === undefined) throw this.#unknown(isDigest(target) ? target : `tag '${target}'`);
    return descriptor;
  }

  async manifest(target: string): Promise<StoredManifest | undefined> {
    const descriptor = await this.resolve(target);
    if (descriptor === undefined) return undefined;
    const stored = await this.#layout.blob(descriptor.digest, descriptor.size);
    if (stored === undefined) throw this.#damaged(descriptor.digest);
    return { descriptor, bytes: stored };
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#layout.blob(digest, maxBytes);
  }

  async openBlob(digest: Digest): Promise<BlobStream | undefined> {
    return this.#layout.openBlob(digest);
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    return this.#layout.hasBlob(digest);
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    const listing = this.#record.referrers.get(subject);
    if (listing === undefined) throw this.#unknown(`what lies beside ${subject}`);
    return { place: 'layout', exists: true, ...listing };
  }

  async *tags(): AsyncIterable<string> {
    yield* [...this.#record.tags].flatMap(([tag, digest]) => (digest === null ? [] : [tag])).toSorted();
  }

  async putBlob(): Promise<void> {
    throw this.#readOnly();
  }

  async mountBlob(): Promise<boolean> {
    return false;
  }

  async putManifest(): Promise<WrittenManifest> {
    throw this.#readOnly();
  }

  async deleteManifest(): Promise<boolean> {
    throw this.#readOnly();
  }

  #unknown(what: string): ImageError {
    return new ImageError('kit-incomplete', `the kit does not hold ${what} of ${this.name}: it was not saved`);
  }

  #damaged(digest: Digest): RegistryError {
    return new RegistryError('content-missing', `the kit names ${digest} of ${this.name}, and its file is gone`);
  }

  #readOnly(): RegistryError {
    return new RegistryError('unsupported', `${this.name} is in a kit, which is not written to: save it anew`);
  }
}
