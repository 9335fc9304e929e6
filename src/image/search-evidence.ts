// SPDX-License-Identifier: Apache-2.0
import { isDigest, RegistryError, type Digest, type Repository } from '../oci/index.ts';
import { CodedError } from '../wire/index.ts';
import { ImageError } from './error.ts';
import type { EvidenceMemory } from './evidence-memory.ts';
import { evidencePlaces, type EvidenceKind, type EvidencePlace } from './evidence-places.ts';
import {
  EVIDENCE_LIMITS,
  type Candidate,
  type EvidenceLimits,
  type Finding,
  type Lead,
  type LeadListing,
} from './finding.ts';
import type { Judgement } from './judge.ts';
import type { PlaceReport } from './place.ts';
import type { RefusalReason, Rejection, RejectionCode, Seal, SealFormat, Verdict, Weakening } from './verdict.ts';

/** Judging may take its time: after so many that could not be judged the search ends. */
const MAX_UNJUDGED = 3;

/** How an image is looked at. */
export interface VerifyImageOptions {
  /** where the seals lie, if not beside the image (`COSIGN_REPOSITORY`) */
  readonly evidence?: Repository;
  /** reads every place to its end, instead of ending once the expectation is met */
  readonly all?: boolean;
  readonly tagPrefix?: string;
  readonly formats?: readonly SealFormat[];
  readonly limits?: Partial<EvidenceLimits>;
  /** how many seals are fetched at a time, at most; 10 unless told */
  readonly maxWorkers?: number;
}

/** What is looked for, and what of it counts. */
export interface SearchDemand<S extends Seal> {
  readonly sought: EvidenceKind;
  judge(candidate: Candidate, digest: Digest): Promise<Judgement<S>>;
  /** what was read is no such thing at all: an image that has only that has none */
  isOtherThing(rejection: Rejection): boolean;
  readonly weakened: readonly Weakening[];
  /** whether these are enough; one is, unless told */
  enough?(seals: readonly S[]): boolean;
  /**
   * whether a rejection refuses the image, whatever else was accepted. Every place is read to its end then, and what could not be read leaves it
   * undecided
   */
  readonly vetoes?: (rejection: Rejection) => boolean;
}

/** How a search is done. */
export interface SearchOptions extends VerifyImageOptions {
  /** remembers what was read, for the next search */
  readonly memory?: EvidenceMemory;
}

/**
 * Looks for one kind of evidence in all its places, from the union of what lies there, until the demand is met. A tag is resolved once; the
 * digest in the verdict is the one that was looked at. Never throws: what could not be found out is `undecided`.
 */
export async function searchEvidence<S extends Seal>(
  repository: Repository,
  target: string,
  demand: SearchDemand<S>,
  options: SearchOptions = {},
): Promise<Verdict<S>> {
  const inspection = new Inspection(repository, demand, options);
  try {
    const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
    if (digest === undefined) return inspection.refused('image-missing');
    return await inspection.inspect(digest, isDigest(target));
  } catch (error) {
    return inspection.undecided(coded(error));
  }
}

/** The state of one search. */
class Inspection<S extends Seal> {
  readonly #repository: Repository;
  readonly #demand: SearchDemand<S>;
  readonly #options: SearchOptions;
  readonly #limits: EvidenceLimits;
  readonly #places: PlaceReport[] = [];
  readonly #seals: S[] = [];
  readonly #rejected: Rejection[] = [];
  #failure: CodedError | undefined;
  #unjudged = 0;

  constructor(repository: Repository, demand: SearchDemand<S>, options: SearchOptions) {
    this.#repository = repository;
    this.#demand = demand;
    this.#options = options;
    this.#limits = { ...EVIDENCE_LIMITS, ...options.limits };
  }

  async inspect(digest: Digest, byDigest: boolean): Promise<Verdict<S>> {
    const { evidence = this.#repository, tagPrefix, formats } = this.#options;
    const scope = {
      sought: this.#demand.sought,
      repository: evidence,
      digest,
      limits: this.#limits,
      ...(tagPrefix === undefined ? {} : { tagPrefix }),
      ...(formats === undefined ? {} : { formats }),
    };
    for await (const place of evidencePlaces(scope)) {
      if (this.#settled()) this.#places.push({ name: place.name, outcome: 'not-asked' });
      else await this.#read(place, digest);
    }
    const { vetoes } = this.#demand;
    const vetoed = vetoes !== undefined && this.#rejected.some(vetoes);
    const heard = vetoes === undefined || this.#failure === undefined;
    const [first, ...others] = this.#seals;
    if (first !== undefined && heard && !vetoed)
      return { kind: 'trusted', digest, seals: [first, ...others], ...this.#report() };
    if (this.#failure !== undefined && !vetoed) return this.undecided(this.#failure, digest);
    // What is no such thing did not fail either: an image that has only attestations is not signed.
    const failed = this.#rejected.filter((rejection) => !this.#demand.isOtherThing(rejection));
    if (failed.length > 0) {
      return this.refused(
        failed.every((rejection) => rejection.code === 'key-material') ? 'key-seals-only' : 'none-accepted',
        digest,
      );
    }
    // Evidence is looked for first: whether the image is there only matters where none was found.
    const asks = byDigest && this.#options.memory?.hasRead !== true;
    const missing = asks && (await this.#repository.resolve(digest)) === undefined;
    return this.refused(missing ? 'image-missing' : 'nothing-found', digest);
  }

  refused(reason: RefusalReason, digest?: Digest): Verdict<S> {
    const nearest = nearestRejection(this.#rejected);
    return {
      kind: 'refused',
      reason,
      ...(digest === undefined ? {} : { digest }),
      ...(nearest === undefined ? {} : { nearest }),
      ...this.#report(),
    };
  }

  undecided(cause: CodedError, digest?: Digest): Verdict<S> {
    return { kind: 'undecided', ...(digest === undefined ? {} : { digest }), cause, ...this.#report() };
  }

  #settled(): boolean {
    if (this.#seals.length === 0 || this.#options.all === true || this.#demand.vetoes !== undefined) return false;
    return this.#demand.enough?.(this.#seals) ?? true;
  }

  #report(): Pick<Extract<Verdict, { kind: 'refused' }>, 'places' | 'rejected' | 'weakened'> {
    return { places: this.#places, rejected: this.#rejected, weakened: this.#demand.weakened };
  }

  async #read(place: EvidencePlace, digest: Digest): Promise<void> {
    let listing: LeadListing;
    try {
      listing = await place.list();
    } catch (error) {
      // One strange place never hides the good seal in another.
      const failure = coded(error);
      this.#failure ??= failure;
      this.#places.push({ name: place.name, outcome: 'failed', read: 0, code: failure.code, message: failure.message });
      return;
    }
    const name = listing.name ?? place.name;
    if (!listing.exists) {
      this.#places.push({ name, outcome: 'absent' });
      return;
    }
    const { read, failure } = await this.#readLeads(listing.leads, digest);
    const capped = listing.truncated && !this.#settled();
    const cause = failure ?? (capped ? cappedAt(name, read, listing, this.#seals.length) : undefined);
    this.#failure ??= cause;
    this.#places.push(
      cause === undefined
        ? { name, outcome: 'read', read, of: listing.total }
        : { name, outcome: 'failed', read, of: listing.total, code: cause.code, message: cause.message },
    );
  }

  // One at first, then ever more at a time: a good image costs one seal, a long search few round trips.
  async #readLeads(leads: readonly Lead[], digest: Digest): Promise<{ read: number; failure?: CodedError }> {
    const widest = Math.max(1, this.#options.maxWorkers ?? 10);
    let failure: CodedError | undefined;
    let read = 0;
    for (let width = 1; read < leads.length && !this.#settled(); width = Math.min(width * 2, widest)) {
      const window = leads.slice(read, read + width);
      const results = await Promise.allSettled(window.map((lead) => this.#options.memory?.load(lead) ?? lead.load()));
      for (const result of results) {
        if (result.status === 'rejected') failure ??= coded(result.reason);
        else for (const finding of result.value) await this.#weigh(finding, digest);
      }
      read += window.length;
    }
    return { read, ...(failure === undefined ? {} : { failure }) };
  }

  async #weigh(finding: Finding, digest: Digest): Promise<void> {
    if (finding.kind === 'foreign') return;
    const judgement = finding.kind === 'rejected' ? finding : await this.#judge(finding, digest);
    if (judgement === undefined) return;
    if (judgement.kind === 'accepted') this.#seals.push(judgement.seal);
    else this.#rejected.push(judgement.rejection);
  }

  // One that could not be judged, by a policy that did not end for example, never hides a good one behind it.
  async #judge(candidate: Candidate, digest: Digest): Promise<Judgement<S> | undefined> {
    try {
      return await this.#demand.judge(candidate, digest);
    } catch (error) {
      if (!(error instanceof CodedError) || ++this.#unjudged >= MAX_UNJUDGED) throw error;
      this.#failure ??= error;
      return undefined;
    }
  }
}

function cappedAt(
  name: string,
  read: number,
  { total, endless = false }: LeadListing,
  accepted: number,
): RegistryError {
  const known =
    total === 0
      ? 'the listing is larger than what is read'
      : `${read} of ${endless ? 'more than ' : ''}${total} entries were read${accepted === 0 ? ', and none is a seal that was expected' : ''}`;
  return new RegistryError('evidence-capped', `${name}: a cap ended the search: ${known}`);
}

/** The rejection that came closest to being accepted. */
export function nearestRejection(rejections: readonly Rejection[]): Rejection | undefined {
  return rejections.toSorted((a, b) => closeness(b.code) - closeness(a.code))[0];
}

/** Higher is nearer to being accepted. */
function closeness(code: RejectionCode): number {
  const family = `${code.slice(0, code.indexOf('-'))}-*`;
  return NEAREST_LAST.findIndex((known) => known === code || known === family);
}

/** In the order in which seals are checked; `*` for all codes that begin so and do not stand before. */
const NEAREST_LAST: readonly (RejectionCode | `${string}-*`)[] = [
  'manifest-malformed',
  'evidence-missing',
  'too-large',
  'not-attestation',
  'predicate-type-mismatch',
  'bundle-malformed',
  'signature-count',
  'payload-type-unexpected',
  'artifact-missing',
  'certificate-material',
  'key-material',
  'certificate-malformed',
  'signature-invalid',
  'timestamp-*',
  'log-*',
  'time-missing',
  'certificate-*',
  'authority-*',
  'sct-*',
  'identity-*',
  'claims-malformed',
  'statement-malformed',
  'payload-malformed',
  'digest-mismatch',
  'claims-mismatch',
  'subject-mismatch',
  'annotation-mismatch',
  'predicate-malformed',
  'hash-mismatch',
  'seal-undated',
  'seal-too-old',
  'signer-revoked',
  'predicate-refused',
  'summary-*',
];

function coded(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  // A fault of ours must not admit either.
  return new ImageError('unexpected', `unexpected failure: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
