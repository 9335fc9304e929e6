// SPDX-License-Identifier: Apache-2.0
import {
  isDigest,
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
} from '../oci/index.ts';
import { ImageError } from './error.ts';
import type { Candidate, Finding, Lead } from './finding.ts';

/** bytes of signed content that are held of one image */
const MAX_HELD = 256 * 1024 * 1024;

/** What was read of an image's evidence, so that nothing is asked for or parsed twice, however often it is judged. */
export class EvidenceMemory {
  readonly #findings: Map<string, Promise<readonly Finding[]>> = new Map();
  readonly #judged: WeakMap<Candidate, WeakMap<object, Promise<unknown>>> = new WeakMap();
  #held = 0;

  /** Something lies beside the image, so that it need not be asked whether there is one. */
  get hasRead(): boolean {
    return this.#findings.size > 0;
  }

  /** The findings of a lead. A failure is remembered too: the same question has one answer. */
  load(lead: Lead): Promise<readonly Finding[]> {
    const known = this.#findings.get(lead.key);
    if (known !== undefined) return known;
    const loaded = this.#read(lead);
    this.#findings.set(lead.key, loaded);
    return loaded;
  }

  /**
   * What judging a candidate by an expectation gave: it follows from the two alone, so that it is not found out twice.
   *
   * @param by what is expected; the same object for the same expectation
   */
  judged<T>(candidate: Candidate, by: object, judge: () => Promise<T>): Promise<T> {
    const known = this.#judged.get(candidate) ?? new WeakMap<object, Promise<T>>();
    this.#judged.set(candidate, known);
    const before = known.get(by) as Promise<T> | undefined;
    const judged = before ?? judge();
    if (before === undefined) known.set(by, judged);
    return judged;
  }

  async #read(lead: Lead): Promise<readonly Finding[]> {
    const findings = await lead.load();
    for (const finding of findings) if (finding.kind === 'candidate') this.#held += sizeOf(finding);
    if (this.#held <= MAX_HELD) return findings;
    throw new ImageError('evidence-capped', `more than ${MAX_HELD} bytes of evidence lie beside the image`);
  }
}

function sizeOf({ bundle: { content }, artifact }: Extract<Finding, { kind: 'candidate' }>): number {
  const payload = content.kind === 'dsse' ? content.envelope.payload.byteLength : 0;
  return payload + (artifact.kind === 'bytes' ? artifact.bytes.byteLength : 0);
}

/** A repository of which no tag, listing or digest is resolved twice. What is read by digest is not kept: `EvidenceMemory` does that. */
export class RememberedRepository implements Repository {
  readonly name: string;
  readonly #repository: Repository;
  readonly #resolved: Map<string, Promise<Descriptor | undefined>> = new Map();
  readonly #tagged: Map<string, Promise<StoredManifest | undefined>> = new Map();
  readonly #listed: Map<Digest, Promise<ReferrersListing>> = new Map();

  constructor(repository: Repository) {
    this.name = repository.name;
    this.#repository = repository;
  }

  resolve(target: string): Promise<Descriptor | undefined> {
    return remembered(this.#resolved, target, () => this.#repository.resolve(target));
  }

  manifest(target: string): Promise<StoredManifest | undefined> {
    if (isDigest(target)) return this.#repository.manifest(target);
    return remembered(this.#tagged, target, () => this.#repository.manifest(target));
  }

  referrers(subject: Digest): Promise<ReferrersListing> {
    return remembered(this.#listed, subject, () => this.#repository.referrers(subject));
  }

  blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#repository.blob(digest, maxBytes);
  }

  openBlob(digest: Digest): Promise<BlobStream | undefined> {
    return this.#repository.openBlob(digest);
  }

  hasBlob(digest: Digest): Promise<boolean> {
    return this.#repository.hasBlob(digest);
  }

  tags(): AsyncIterable<string> {
    return this.#repository.tags();
  }

  putBlob(source: BlobSource, progress?: Progress): Promise<void> {
    return this.#repository.putBlob(source, progress);
  }

  mountBlob(digest: Digest, from: string): Promise<boolean> {
    return this.#repository.mountBlob(digest, from);
  }

  putManifest(bytes: Uint8Array, mediaType: string, options?: PutManifestOptions): Promise<WrittenManifest> {
    return this.#repository.putManifest(bytes, mediaType, options);
  }

  deleteManifest(target: string): Promise<boolean> {
    return this.#repository.deleteManifest(target);
  }
}

function remembered<K, V>(known: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const asked = ask();
  known.set(key, asked);
  return asked;
}
