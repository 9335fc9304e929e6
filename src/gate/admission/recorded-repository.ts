// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  isDigest,
  type BlobStream,
  type Descriptor,
  type Digest,
  type ReferrersListing,
  type Repository,
  type StoredManifest,
  type WrittenManifest,
} from '../../oci/index.ts';
import type { OpenRepository } from '../../policy/index.ts';
import { canonicalJson, type Json } from '../../wire/index.ts';
import { AdmissionError } from './admission-error.ts';
import type { EvidenceBudget } from './evidence-budget.ts';
import type { PullScope } from './ports.ts';

/** An answer of a registry that may be another the next time: what a tag names, what refers to a digest, what is not there. */
export interface PassingRead {
  readonly repository: string;
  /** names of Secrets that the policy names for this repository */
  readonly pullSecrets: readonly string[];
  readonly method: 'resolve' | 'manifest' | 'referrers' | 'blob';
  readonly target: string;
  /** a hash of what was answered */
  readonly answer: string;
}

/** Where the evidence of one verification is read: each answer that may pass is written down, and only so much is read. */
class RecordedRepository implements Repository {
  readonly name: string;
  readonly #repository: Repository;
  readonly #budget: EvidenceBudget;
  readonly #begun: Map<string, Promise<StoredManifest | undefined>> = new Map();
  readonly #record: (read: Pick<PassingRead, 'method' | 'target' | 'answer'>) => void;

  constructor(
    repository: Repository,
    budget: EvidenceBudget,
    record: (read: Pick<PassingRead, 'method' | 'target' | 'answer'>) => void,
  ) {
    this.name = repository.name;
    this.#repository = repository;
    this.#budget = budget;
    this.#record = record;
  }

  async resolve(target: string): Promise<Descriptor | undefined> {
    const found = await this.#budget.within(() => this.#repository.resolve(target));
    if (!isDigest(target) || found === undefined)
      this.#record({ method: 'resolve', target, answer: answerOf(found?.digest) });
    return found;
  }

  /**
   * Asks for a tag that will be asked for, while something else is waited for: where one of several must have sealed, all places are read for
   * the first of them that has not.
   */
  prefetch(tag: string): void {
    const asked = this.#repository.manifest(tag);
    // Whoever wants it hears what went wrong.
    asked.catch(() => undefined);
    this.#begun.set(tag, asked);
  }

  async manifest(target: string): Promise<StoredManifest | undefined> {
    const begun = this.#begun.get(target);
    this.#begun.delete(target);
    const found = await this.#budget.within(() => begun ?? this.#repository.manifest(target));
    if (!isDigest(target) || found === undefined)
      this.#record({ method: 'manifest', target, answer: answerOf(found?.descriptor.digest) });
    if (found !== undefined) await this.#budget.spend(found.bytes.byteLength);
    return found;
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    const listing = await this.#budget.within(() => this.#repository.referrers(subject));
    const answer = answerOf(listingOf(listing));
    this.#record({ method: 'referrers', target: subject, answer });
    await this.#budget.spend(listing.descriptors.length * DESCRIPTOR);
    return listing;
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const found = await this.#budget.read(maxBytes, (most) => this.#repository.blob(digest, most));
    if (found === undefined) this.#record({ method: 'blob', target: digest, answer: answerOf(undefined) });
    return found;
  }

  openBlob(digest: Digest): Promise<BlobStream | undefined> {
    return this.#budget.within(() => this.#repository.openBlob(digest));
  }

  hasBlob(digest: Digest): Promise<boolean> {
    return this.#budget.within(() => this.#repository.hasBlob(digest));
  }

  tags(): AsyncIterable<string> {
    return this.#repository.tags();
  }

  putBlob(): Promise<void> {
    throw readOnly();
  }

  mountBlob(): Promise<boolean> {
    throw readOnly();
  }

  putManifest(): Promise<WrittenManifest> {
    throw readOnly();
  }

  deleteManifest(): Promise<boolean> {
    throw readOnly();
  }
}

/** bytes that one entry of a listing takes in memory */
const DESCRIPTOR = 512;

/**
 * Opens repositories, and writes down what they answer.
 *
 * @param ahead what will be asked for in any case, so that nobody need wait for it in turn
 */
export function recordingOpener(
  scope: PullScope,
  budget: EvidenceBudget,
  reads: PassingRead[],
  ahead: { readonly repository: string; readonly tag: string } | undefined,
): OpenRepository {
  return async (name, options) => {
    const pullSecrets = options?.pullSecrets ?? [];
    const opened = await (options === undefined ? scope.open(name) : scope.open(name, options));
    const recorded = new RecordedRepository(opened, budget, (read) =>
      reads.push({ repository: name, pullSecrets, ...read }),
    );
    if (ahead?.repository === name) recorded.prefetch(ahead.tag);
    return recorded;
  };
}

/** As {@link stillSays}, where the answer was read. @throws RegistryError */
export async function saysTheSame(scope: PullScope, read: PassingRead): Promise<boolean> {
  const { repository, pullSecrets } = read;
  const opened = pullSecrets.length === 0 ? scope.open(repository) : scope.open(repository, { pullSecrets });
  return stillSays(await opened, read);
}

/**
 * Whether a registry still says the same. Asks only what may have changed: nothing that has a digest is read again.
 *
 * @throws RegistryError where that cannot be found out
 */
async function stillSays(
  repository: Repository,
  { method, target, answer }: Pick<PassingRead, 'method' | 'target' | 'answer'>,
): Promise<boolean> {
  switch (method) {
    case 'resolve':
      return answerOf((await repository.resolve(target))?.digest) === answer;
    case 'manifest':
      // a tag is resolved without its body; what was not there by its digest is looked for again
      return answerOf((await repository.resolve(target))?.digest) === answer;
    case 'referrers':
      return answerOf(listingOf(await repository.referrers(target as Digest))) === answer;
    case 'blob':
      return !(await repository.hasBlob(target as Digest));
  }
}

function answerOf(value: Json | undefined): string {
  return hash('sha256', value === undefined ? '' : canonicalJson(value), 'base64');
}

/** Annotations and types only order what is read: they are no part of the answer. */
function listingOf({ place, exists, truncated, descriptors }: ReferrersListing): Json {
  return [place, exists, truncated, descriptors.map(({ digest, size }) => `${digest} ${size}`).toSorted()];
}

function readOnly(): AdmissionError {
  return new AdmissionError('not-served', 'the gate writes nothing into registries');
}
