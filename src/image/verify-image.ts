// SPDX-License-Identifier: Apache-2.0
import { isDigest, RegistryError, type Digest, type Repository } from '../oci/index.ts';
import { CodedError } from '../wire/index.ts';
import { ImageError } from './error.ts';
import { evidencePlaces, type EvidencePlace } from './evidence-places.ts';
import { EVIDENCE_LIMITS, type EvidenceLimits, type Finding, type Lead, type LeadListing } from './finding.ts';
import { judge, type Expectation } from './judge.ts';
import type { PlaceReport } from './place.ts';
import type { RefusalReason, Rejection, RejectionCode, Seal, SealFormat, Verdict, Weakening } from './verdict.ts';

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

/**
 * Answers "is this image sealed by whom I expect?" from the union of all its signatures, wherever they lie and in whichever format.
 * A tag is resolved once; the digest in the verdict is the one that was verified. Never throws: what could not be found out is
 * `undecided`, which must not admit.
 *
 * @param target a tag or a digest of `repository`
 * @example
 * const verdict = await verifyImage(repository, 'sha256:4ed3…', { signers: { kind: 'keys', keys: [key] } });
 * if (verdict.kind === 'trusted') deploy(verdict.digest);
 */
export async function verifyImage(
  repository: Repository,
  target: string,
  expectation: Expectation,
  options: VerifyImageOptions = {},
): Promise<Verdict> {
  const inspection = new Inspection(repository, expectation, options);
  try {
    const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
    if (digest === undefined) return inspection.refused('image-missing');
    return await inspection.inspect(digest, isDigest(target));
  } catch (error) {
    return inspection.undecided(coded(error));
  }
}

/** The state of one verification. */
class Inspection {
  readonly #repository: Repository;
  readonly #expectation: Expectation;
  readonly #options: VerifyImageOptions;
  readonly #limits: EvidenceLimits;
  readonly #places: PlaceReport[] = [];
  readonly #seals: Seal[] = [];
  readonly #rejected: Rejection[] = [];
  #failure: CodedError | undefined;

  constructor(repository: Repository, expectation: Expectation, options: VerifyImageOptions) {
    this.#repository = repository;
    this.#expectation = expectation;
    this.#options = options;
    this.#limits = { ...EVIDENCE_LIMITS, ...options.limits };
  }

  async inspect(digest: Digest, byDigest: boolean): Promise<Verdict> {
    const { evidence = this.#repository, tagPrefix, formats } = this.#options;
    const scope = {
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
    const [first, ...others] = this.#seals;
    if (first !== undefined) return { kind: 'trusted', digest, seals: [first, ...others], ...this.#report() };
    if (this.#failure !== undefined) return this.undecided(this.#failure, digest);
    // An attestation of another type is not a signature that failed: an image that has only those is not signed.
    const failed = this.#rejected.filter((rejection) => rejection.code !== 'predicate-type-mismatch');
    if (failed.length > 0) {
      return this.refused(
        failed.every((rejection) => rejection.code === 'key-material') ? 'key-seals-only' : 'none-accepted',
        digest,
      );
    }
    // Signatures are looked for first: whether the image is there only matters where none was found.
    const missing = byDigest && (await this.#repository.resolve(digest)) === undefined;
    return this.refused(missing ? 'image-missing' : 'nothing-found', digest);
  }

  refused(reason: RefusalReason, digest?: Digest): Verdict {
    const nearest = this.#rejected.toSorted((a, b) => closeness(b.code) - closeness(a.code))[0];
    return {
      kind: 'refused',
      reason,
      ...(digest === undefined ? {} : { digest }),
      ...(nearest === undefined ? {} : { nearest }),
      ...this.#report(),
    };
  }

  undecided(cause: CodedError, digest?: Digest): Verdict {
    return { kind: 'undecided', ...(digest === undefined ? {} : { digest }), cause, ...this.#report() };
  }

  #settled(): boolean {
    return this.#seals.length > 0 && this.#options.all !== true;
  }

  #report(): Pick<Extract<Verdict, { kind: 'refused' }>, 'places' | 'rejected' | 'weakened'> {
    return { places: this.#places, rejected: this.#rejected, weakened: weakeningsOf(this.#expectation) };
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
    const cause = failure ?? (capped ? cappedAt(name, read, listing) : undefined);
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
      const results = await Promise.allSettled(window.map((lead) => lead.load()));
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
    const judgement = finding.kind === 'rejected' ? finding : await judge(finding, digest, this.#expectation);
    if (judgement.kind === 'accepted') this.#seals.push(judgement.seal);
    else this.#rejected.push(judgement.rejection);
  }
}

function cappedAt(name: string, read: number, { total, endless = false }: LeadListing): RegistryError {
  const known =
    total === 0
      ? 'the listing is larger than what is read'
      : `${read} of ${endless ? 'more than ' : ''}${total} entries were read, and none is a seal that was expected`;
  return new RegistryError('evidence-capped', `${name}: a cap ended the search: ${known}`);
}

function weakeningsOf({ checkClaims, signers }: Expectation): readonly Weakening[] {
  return [
    ...(checkClaims === false ? (['claims-not-checked'] as const) : []),
    ...(signers.evidence?.ignoreLog === true ? (['log-ignored'] as const) : []),
    ...(signers.kind === 'identities' && signers.evidence.ignoreScts === true
      ? (['certificate-log-ignored'] as const)
      : []),
  ];
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
];

function coded(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  // A fault of ours must not admit either.
  return new ImageError('unexpected', `unexpected failure: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
