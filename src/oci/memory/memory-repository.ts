// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { digestAlgorithm, digestOf, isDigest, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest, type Manifest } from '../manifest.ts';
import { parseTag } from '../reference.ts';
import { describeReferrer, fallbackTag, mergeIndex, readFallbackReferrers } from '../referrers-index.ts';
import { MediaType } from '../media-type.ts';
import type {
  BlobSource,
  BlobStream,
  Progress,
  PutManifestOptions,
  ReferrersListing,
  Repository,
  StoredManifest,
  WrittenManifest,
} from '../repository.ts';
import { verifiedStream } from '../verified-stream.ts';

const CHUNK = 64 * 1024;

/** A method of the port and what it was called with first. */
export interface MemoryCall {
  readonly method: Exclude<keyof Repository, 'name'>;
  readonly target: string;
}

/** What a repository in memory is like. */
export interface MemoryOptions {
  /** false: referrers are kept under the fallback tag, as on a registry without the API. True unless told. */
  readonly referrersApi?: boolean;
  /** true: a manifest is refused with `content-missing` before what it names is there, as strict registries do */
  readonly requiresContent?: boolean;
  /** repositories of the same registry, to mount blobs from */
  readonly neighbours?: readonly MemoryRepository[];
  /** runs before each call; what it throws is what the call fails with */
  readonly before?: (call: MemoryCall) => void | Promise<void>;
}

interface Entry {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
  readonly subject: Digest | undefined;
}

/**
 * A repository in memory, for tests: a real one, which counts its calls and fails where it is told to.
 *
 * @example
 * const repository = new MemoryRepository('registry.example/app', {
 *   before: ({ method }) => { if (method === 'referrers') throw new RegistryError('throttled', 'later'); },
 * });
 */
export class MemoryRepository implements Repository {
  readonly name: string;
  /** every call so far, in order */
  readonly calls: MemoryCall[] = [];
  readonly #options: MemoryOptions;
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #manifests = new Map<Digest, Entry>();
  readonly #tags = new Map<string, Digest>();

  constructor(name = 'memory.example/test', options: MemoryOptions = {}) {
    this.name = name;
    this.#options = options;
  }

  /** How often a method was called, or any. */
  count(method?: MemoryCall['method']): number {
    return method === undefined ? this.calls.length : this.calls.filter((call) => call.method === method).length;
  }

  /** Lets a digest stand for other bytes, as broken or hostile storage does. */
  corrupt(digest: Digest, bytes: Uint8Array): void {
    if (this.#blobs.has(digest)) this.#blobs.set(digest, bytes);
    const entry = this.#manifests.get(digest);
    if (entry !== undefined) this.#manifests.set(digest, { ...entry, bytes });
  }

  async resolve(target: string): Promise<Descriptor | undefined> {
    await this.#enter('resolve', target);
    return this.#entry(target)?.descriptor;
  }

  async manifest(target: string): Promise<StoredManifest | undefined> {
    await this.#enter('manifest', target);
    const entry = this.#entry(target);
    if (entry === undefined) return undefined;
    this.#check(entry.descriptor.digest, entry.bytes);
    return { descriptor: entry.descriptor, bytes: new Uint8Array(entry.bytes) };
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    await this.#enter('blob', digest);
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) return undefined;
    if (bytes.byteLength > maxBytes) {
      throw new RegistryError(
        'too-large',
        `${this.name}@${digest} has ${bytes.byteLength} bytes, at most ${maxBytes} are read`,
      );
    }
    this.#check(digest, bytes);
    return new Uint8Array(bytes);
  }

  async openBlob(digest: Digest): Promise<BlobStream | undefined> {
    await this.#enter('openBlob', digest);
    const bytes = this.#blobs.get(digest);
    return bytes === undefined
      ? undefined
      : {
          size: bytes.byteLength,
          body: verifiedStream(chunksOf(bytes), { digest, size: bytes.byteLength }, `${this.name}@${digest}`),
        };
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    await this.#enter('hasBlob', digest);
    return this.#blobs.has(digest);
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    await this.#enter('referrers', subject);
    if (this.#options.referrersApi === false) return readFallbackReferrers(this, subject);
    const entries = [...this.#manifests.values()].filter((entry) => entry.subject === subject);
    const descriptors = entries.map((entry) => describeReferrer(entry.bytes, entry.descriptor.mediaType));
    return { place: 'referrers-api', descriptors, truncated: false, exists: true };
  }

  async *tags(): AsyncIterable<string> {
    await this.#enter('tags', '');
    yield* [...this.#tags.keys()].toSorted();
  }

  async putBlob(source: BlobSource, progress?: Progress): Promise<void> {
    await this.#enter('putBlob', source.digest);
    if (this.#blobs.has(source.digest)) return;
    const chunks: Uint8Array[] = [];
    let transferred = 0;
    for await (const chunk of verifiedStream(source.open(), source, 'what was to be written')) {
      chunks.push(new Uint8Array(chunk));
      transferred += chunk.byteLength;
      progress?.(transferred, source.size);
    }
    this.#blobs.set(source.digest, Buffer.concat(chunks));
  }

  async mountBlob(digest: Digest, from: string): Promise<boolean> {
    await this.#enter('mountBlob', digest);
    const neighbour = this.#options.neighbours?.find((other) => other.name === from);
    const bytes = neighbour === undefined ? undefined : neighbour.#blobs.get(digest);
    if (bytes === undefined) return false;
    this.#blobs.set(digest, bytes);
    return true;
  }

  async putManifest(bytes: Uint8Array, mediaType: string, options: PutManifestOptions = {}): Promise<WrittenManifest> {
    const digest = digestOf(bytes);
    await this.#enter('putManifest', options.tag ?? digest);
    const manifest = decodeManifest(bytes, mediaType);
    if (this.#options.requiresContent === true) this.#requireContent(manifest);
    const { tag, expect } = options;
    if (tag !== undefined) {
      const found = this.#tags.get(parseTag(tag));
      if (expect !== undefined && (found ?? 'absent') !== expect) {
        throw new RegistryError('conflict', `${this.name}:${tag} is ${found ?? 'absent'}, expected ${expect}`);
      }
      this.#tags.set(tag, digest);
    }
    const descriptor: Descriptor = { mediaType: manifest.mediaType, digest, size: bytes.byteLength };
    const subject = manifest.subject?.digest;
    this.#manifests.set(digest, { bytes: new Uint8Array(bytes), descriptor, subject });
    if (subject === undefined) return { descriptor };
    if (this.#options.referrersApi !== false) return { descriptor, listed: { place: 'referrers-api', raceSafe: true } };
    this.#listUnderFallbackTag(subject, describeReferrer(bytes, mediaType));
    return { descriptor, listed: { place: 'fallback-tag', raceSafe: true } };
  }

  async deleteManifest(target: string): Promise<boolean> {
    await this.#enter('deleteManifest', target);
    if (!isDigest(target)) return this.#tags.delete(target);
    for (const [tag, digest] of this.#tags) if (digest === target) this.#tags.delete(tag);
    return this.#manifests.delete(target);
  }

  async #enter(method: MemoryCall['method'], target: string): Promise<void> {
    this.calls.push({ method, target });
    await this.#options.before?.({ method, target });
  }

  #entry(target: string): Entry | undefined {
    const digest = isDigest(target) ? target : this.#tags.get(target);
    return digest === undefined ? undefined : this.#manifests.get(digest);
  }

  #check(digest: Digest, bytes: Uint8Array): void {
    const found = digestOf(bytes, digestAlgorithm(digest));
    if (found !== digest) throw new RegistryError('digest-mismatch', `${this.name}@${digest} has content of ${found}`);
  }

  #requireContent(manifest: Manifest): void {
    const blobs = manifest.kind === 'image' ? [manifest.config, ...manifest.layers] : [];
    const missing =
      blobs.find(({ digest }) => !this.#blobs.has(digest)) ??
      manifest.manifests.find(({ digest }) => !this.#manifests.has(digest));
    if (missing === undefined) return;
    throw new RegistryError('content-missing', `${this.name} has no ${missing.digest}, which the manifest names`);
  }

  #listUnderFallbackTag(subject: Digest, referrer: Descriptor): void {
    const tag = fallbackTag(subject);
    const stored = this.#entry(tag);
    const bytes = mergeIndex(stored?.descriptor.digest === subject ? undefined : stored?.bytes, referrer);
    const descriptor: Descriptor = { mediaType: MediaType.imageIndex, digest: digestOf(bytes), size: bytes.byteLength };
    this.#manifests.set(descriptor.digest, { bytes, descriptor, subject: undefined });
    this.#tags.set(tag, descriptor.digest);
  }
}

async function* chunksOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += CHUNK) yield new Uint8Array(bytes.subarray(at, at + CHUNK));
}
