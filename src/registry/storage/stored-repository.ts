// SPDX-License-Identifier: Apache-2.0
import {
  isDigest,
  isTag,
  parseTag,
  RegistryError,
  verifiedStream,
  type BlobSource,
  type BlobStream,
  type Descriptor,
  type Digest,
  type Progress,
  type PutManifestOptions,
  type ReferrersListing,
  type Repository,
  type StoredManifest,
  type WrittenManifest,
} from '../../oci/index.ts';
import { StoreError } from '../../store/index.ts';
import type { BlobStorage } from './blob-storage.ts';
import type { Listings } from './listings.ts';
import type { ManifestStorage } from './manifest-storage.ts';

/** Referrers of one digest that are listed at most; as many as an index may have entries. */
const MAX_REFERRERS = 10_000;
const PAGE = 1000;

/** What all repositories of a registry share. */
export interface RepositoryStorage {
  readonly blobs: BlobStorage;
  readonly manifests: ManifestStorage;
  readonly listings: Listings;
  /** `host[:port]` under which the registry is known */
  host(): string;
}

/** A repository of our own registry, without HTTP in between: same rules, same durability. */
export class StoredRepository implements Repository {
  readonly #storage: RepositoryStorage;
  readonly #path: string;

  /** @param path the repository's name without the registry's */
  constructor(storage: RepositoryStorage, path: string) {
    this.#storage = storage;
    this.#path = path;
  }

  get name(): string {
    return `${this.#storage.host()}/${this.#path}`;
  }

  async resolve(target: string): Promise<Descriptor | undefined> {
    if (!isDigest(target) && !isTag(target)) return undefined;
    return stored(this.#storage.manifests.resolve(this.#path, target));
  }

  async manifest(target: string): Promise<StoredManifest | undefined> {
    if (!isDigest(target) && !isTag(target)) return undefined;
    return stored(this.#storage.manifests.find(this.#path, target));
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const stream = await this.openBlob(digest);
    if (stream === undefined) return undefined;
    if (stream.size > maxBytes) {
      throw new RegistryError('too-large', `blob ${digest} has ${stream.size} bytes, at most ${maxBytes} are read`);
    }
    const bytes = new Uint8Array(stream.size);
    let at = 0;
    for await (const chunk of stream.body) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }

  async openBlob(digest: Digest): Promise<BlobStream | undefined> {
    const blob = await stored(this.#storage.blobs.find(this.#path, digest));
    if (blob === undefined) return undefined;
    const { size } = blob;
    const content = storedStream(blob.read());
    return { size, body: verifiedStream(content, { digest, size }, `blob ${digest} of ${this.name}`) };
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    return (await stored(this.#storage.blobs.find(this.#path, digest))) !== undefined;
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    const descriptors: Descriptor[] = [];
    let last: string | undefined;
    do {
      const limit = Math.min(PAGE, MAX_REFERRERS - descriptors.length);
      const page = await stored(this.#storage.listings.referrers(this.#path, subject, { limit, last }));
      descriptors.push(...page.entries.map(({ json }) => JSON.parse(json) as Descriptor));
      last = page.next;
    } while (last !== undefined && descriptors.length < MAX_REFERRERS);
    return { place: 'referrers-api', descriptors, truncated: last !== undefined, exists: true };
  }

  async *tags(): AsyncIterable<string> {
    let last: string | undefined;
    do {
      const page = await stored(this.#storage.listings.tags(this.#path, { limit: PAGE, last }));
      yield* page.entries;
      last = page.next;
    } while (last !== undefined);
  }

  async putBlob(source: BlobSource, progress?: Progress): Promise<void> {
    if (await this.hasBlob(source.digest)) {
      progress?.(source.size, source.size);
      return;
    }
    const staged = this.#storage.blobs.stage();
    try {
      for await (const chunk of verifiedStream(source.open(), source, `blob ${source.digest}`)) {
        await stored(staged.append(chunk));
        progress?.(staged.size, source.size);
      }
      await stored(this.#storage.blobs.commit(this.#path, source.digest, staged));
    } finally {
      await staged.discard();
    }
  }

  async mountBlob(digest: Digest, from: string): Promise<boolean> {
    const host = `${this.#storage.host()}/`;
    if (!from.startsWith(host)) return false;
    return stored(this.#storage.blobs.mount(this.#path, digest, from.slice(host.length)));
  }

  async putManifest(bytes: Uint8Array, mediaType: string, options: PutManifestOptions = {}): Promise<WrittenManifest> {
    if (options.tag !== undefined) parseTag(options.tag);
    const write = { bytes, mediaType, tag: options.tag, expect: options.expect };
    const { descriptor, subject } = await stored(this.#storage.manifests.put(this.#path, write));
    return subject === undefined ? { descriptor } : { descriptor, listed: { place: 'referrers-api', raceSafe: true } };
  }

  async deleteManifest(target: string): Promise<boolean> {
    return stored(this.#storage.manifests.delete(this.#path, target));
  }
}

/** What the store could not do is a failed operation on the repository. */
async function stored<Answer>(pending: Promise<Answer>): Promise<Answer> {
  try {
    return await pending;
  } catch (cause) {
    throw storageFault(cause);
  }
}

async function* storedStream(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    throw storageFault(cause);
  }
}

function storageFault(cause: unknown): unknown {
  return cause instanceof StoreError ? new RegistryError('storage-failed', cause.message, { cause }) : cause;
}
