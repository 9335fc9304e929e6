// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import { AdmissionError } from './admission-error.ts';
import type { AdmissionRequest } from './admission-review.ts';
import { changedImages, type ReviewedImage } from './changed-images.ts';
import { auditLine, explainDenial } from './explain-verdict.ts';
import type { ImageJudge } from './image-judge.ts';
import type { JudgedImage } from './judged-image.ts';
import { NOTHING, undecided } from './image-verdict.ts';
import { describeObject, type ReviewedObject } from './judge-object.ts';
import { pinImages, pinnedName, type PinnedImage } from './pin-images.ts';
import type { ImageVerdict, PoliciesInForce, PolicySource, PullCredentials } from './ports.ts';
import type { ReviewAnswer } from './review-answer.ts';
import type { ReviewDeadline } from './review-deadline.ts';

/** Whose images are written back with their digest. */
export type MutateMode = 'pods' | 'workloads' | 'none';

/** The two webhooks. */
export type Endpoint = 'mutate' | 'validate';

/** How a review is answered, and by what. */
export interface Review extends Omit<ReviewAnswer, 'uid'> {
  /** stable: as in DecisionRecord */
  readonly code: string;
  /** what was judged, each image once */
  readonly images: readonly JudgedFields[];
}

/** What is to be judged of a request. */
export interface PosedReview extends Pick<AdmissionRequest, 'namespace' | 'dryRun'> {
  readonly changed: readonly ReviewedImage[];
  readonly object: ReviewedObject;
  readonly inForce: PoliciesInForce;
}

/** An image, the fields that name it, and what was decided on it. */
export interface JudgedFields {
  readonly image: string;
  readonly fields: readonly ReviewedImage[];
  readonly verdict: ImageVerdict;
}

export interface ReviewerOptions {
  readonly policies: PolicySource;
  readonly judge: ImageJudge;
  readonly credentials: PullCredentials;
  readonly mutate: MutateMode;
  readonly excluded: ReadonlySet<string>;
}

/**
 * Answers what the API server asks. The mutating webhook writes digests that are trusted into the object, and leaves to the validating one
 * what is not: others may still change the object in between, and what is admitted is what the last one saw.
 */
export class Reviewer {
  readonly #options: ReviewerOptions;

  constructor(options: ReviewerOptions) {
    this.#options = options;
  }

  /**
   * What a request asks, without the object around it, which may be large; or the answer, where there is nothing to ask.
   *
   * @throws GateError for an object whose images cannot be told
   */
  pose(request: AdmissionRequest): PosedReview | Review {
    const passes = this.#passes(request);
    if (passes !== undefined) return allow(passes);
    const changed = changedImages(request);
    if (changed.length === 0) return allow(request.operation === 'UPDATE' ? 'unchanged' : 'no-images');
    const { policies } = this.#options;
    const inForce = policies.current();
    if (inForce === undefined) return notLoaded(policies);
    const { namespace, dryRun } = request;
    return { namespace, dryRun, changed, object: describeObject(request, inForce.set), inForce };
  }

  /** @throws AdmissionError `deadline` */
  answer(posed: PosedReview, endpoint: Endpoint, deadline: ReviewDeadline): Promise<Review> {
    const { changed } = posed;
    return endpoint === 'mutate' ? this.#mutate(posed, changed, deadline) : this.#validate(posed, changed, deadline);
  }

  /** What puts no image into the cluster, or is none of the gate's business. */
  #passes({ operation, subResource, namespace }: AdmissionRequest): string | undefined {
    if (operation === 'DELETE' || operation === 'CONNECT') return 'operation';
    // these cannot change what runs
    if (subResource === 'status' || subResource === 'scale') return 'subresource';
    return namespace !== '' && this.#options.excluded.has(namespace) ? 'excluded-namespace' : undefined;
  }

  async #mutate(asked: PosedReview, changed: readonly ReviewedImage[], deadline: ReviewDeadline): Promise<Review> {
    const { isPod, isMirrorPod } = asked.object;
    const { mutate } = this.#options;
    const writes = !isMirrorPod && (mutate === 'workloads' || (mutate === 'pods' && isPod));
    const stays: PinnedImage[] = [];
    const named: ReviewedImage[] = [];
    for (const field of changed) {
      if (writes && field.pinned !== undefined) stays.push({ ...field, pinned: field.pinned });
      else if (field.image !== '') named.push(field);
    }
    const [tagged, digested] = partition(named, ({ image }) => writes && !image.includes('@'));
    let judged: readonly JudgedFields[] = [];
    try {
      // There is nothing to write into these; the validating webhook will ask about them.
      const known = await this.#warm(asked, digested, deadline);
      judged = [...known, ...(await this.#judge(asked, tagged, deadline))];
    } catch (error) {
      if (!(error instanceof CodedError) || error.code === 'deadline') throw error;
    }
    const hopeless = judged.filter(({ verdict: { code } }) => code === 'reference-malformed' || code === 'deadline');
    if (hopeless.length > 0) return deny(hopeless, judged);
    const pins = writes ? judged.flatMap(({ fields, verdict }) => pinsOf(fields, verdict)) : [];
    const patch = pinImages([...stays, ...pins]);
    if (patch.length === 0) return { ...allow(writes ? 'nothing-to-pin' : 'not-mutated'), images: judged };
    return { ...allow('pinned'), patch, images: judged };
  }

  async #validate(asked: PosedReview, changed: readonly ReviewedImage[], deadline: ReviewDeadline): Promise<Review> {
    const { isPod, isMirrorPod } = asked.object;
    const [named, empty] = partition(changed, ({ image }) => image !== '');
    if (empty.length > 0 && isPod) return deny([withoutImage(empty)], []);
    if (named.length === 0) return allow('no-images');
    const found = await this.#judge(asked, named, deadline).catch((error: unknown) => this.#unknown(named, error));
    const judged = isPod && !isMirrorPod ? found.map(demandDigest) : found;
    const failing = judged.filter(({ verdict }) => verdict.outcome !== 'trusted');
    if (failing.length > 0) return deny(failing, judged);
    const warnings = judged.flatMap(warningsOf);
    return {
      ...allow('trusted'),
      images: judged,
      ...(warnings.length === 0 ? {} : { warnings }),
      auditAnnotations: annotationsOf(judged, 'admitted'),
    };
  }

  /** Each image once, all at the same time. */
  async #judge(
    asked: PosedReview,
    fields: readonly ReviewedImage[],
    deadline: ReviewDeadline,
  ): Promise<readonly JudgedFields[]> {
    if (fields.length === 0) return [];
    const judged = await this.#asker(asked, deadline);
    const { judge } = this.#options;
    const byImage = groupByImage(fields);
    const verdicts = new Map<string, ImageVerdict>();
    const open: Promise<unknown>[] = [];
    for (const image of byImage.keys()) {
      const question = judged(image);
      const known = judge.known(question);
      if (known !== undefined) verdicts.set(image, known);
      else open.push(judge.judge(question, deadline).then((verdict) => verdicts.set(image, verdict)));
    }
    if (open.length > 0) await Promise.all(open);
    return [...byImage].map(([image, of]) => ({
      image,
      fields: of,
      verdict: verdicts.get(image) ?? undecided(undefined),
    }));
  }

  /** What is known of images already; the others are begun with. */
  async #warm(
    asked: PosedReview,
    fields: readonly ReviewedImage[],
    deadline: ReviewDeadline,
  ): Promise<readonly JudgedFields[]> {
    if (fields.length === 0) return [];
    const judged = await this.#asker(asked, deadline);
    const { judge } = this.#options;
    return [...groupByImage(fields)].flatMap(([image, of]) => {
      const verdict = judge.known(judged(image));
      if (verdict === undefined) judge.warm(judged(image));
      return verdict === undefined ? [] : [{ image, fields: of, verdict }];
    });
  }

  /** @throws what `scopeOf` throws; AdmissionError `deadline` */
  async #asker(
    { namespace, dryRun, object: { podSpec, run }, inForce: { set } }: PosedReview,
    deadline: ReviewDeadline,
  ): Promise<(image: string) => JudgedImage> {
    const found = this.#options.credentials.scopeOf(namespace, podSpec, deadline.signal);
    const scope = found instanceof Promise ? await deadline.within(found) : found;
    return (image) => ({ image, namespace, set, run, scope, dryRun });
  }

  #unknown(fields: readonly ReviewedImage[], error: unknown): readonly JudgedFields[] {
    if (!(error instanceof CodedError)) throw error;
    const verdict = undecided(error);
    const code = error instanceof AdmissionError ? verdict.code : 'credentials-unknown';
    return [...groupByImage(fields)].map(([image, of]) => ({ image, fields: of, verdict: { ...verdict, code } }));
  }
}

function allow(code: string): Review {
  return { allowed: true, code, images: [] };
}

function notLoaded({ pending }: PolicySource): Review {
  const why = pending?.() ?? 'policies and trusted roots are not loaded yet';
  return {
    allowed: false,
    code: 'not-loaded',
    denial: { status: 503, message: `nothing is admitted: ${why}` },
    images: [],
  };
}

function deny(failing: readonly JudgedFields[], judged: readonly JudgedFields[]): Review {
  const refused = failing.some(({ verdict }) => verdict.outcome === 'refused');
  const [first] = failing;
  const own = first?.verdict.code === 'deadline' || first?.verdict.code === 'overloaded';
  const code = refused ? 'refused' : own ? first.verdict.code : 'undecided';
  const message = explainDenial(failing.map(({ fields, ...of }) => ({ ...of, paths: fields.map(({ path }) => path) })));
  return {
    allowed: false,
    code,
    denial: { status: refused ? 403 : 503, message },
    images: judged.length === 0 ? failing : judged,
    auditAnnotations: annotationsOf(failing, 'denied'),
  };
}

function withoutImage(fields: readonly ReviewedImage[]): JudgedFields {
  const message = 'a container of a Pod must name its image';
  return { image: '(none)', fields, verdict: { ...NOTHING, outcome: 'refused', code: 'reference-malformed', message } };
}

/**
 * What runs is what was verified only where the Pod says which bytes. An image that no policy can be about, whatever its digest, is as free as
 * it says.
 */
function demandDigest(judged: JudgedFields): JudgedFields {
  const { image, verdict } = judged;
  const isFree = verdict.code === 'no-policy-matches' && verdict.digest === undefined;
  if (verdict.outcome !== 'trusted' || isFree || image.includes('@')) return judged;
  const message =
    'it is trusted now, but a Pod must name it by its digest, and the mutating webhook did not write one: is it registered, ' +
    `and did nobody change the image after it? Write ${verdict.digest === undefined ? 'name@digest' : pinnedName(image, verdict.digest)}`;
  return { ...judged, verdict: { ...verdict, outcome: 'refused', code: 'digest-demanded', message } };
}

function pinsOf(fields: readonly ReviewedImage[], { outcome, digest }: ImageVerdict): readonly PinnedImage[] {
  if (outcome !== 'trusted' || digest === undefined) return [];
  return fields
    .filter(({ image }) => !image.includes('@'))
    .map(({ path, image }) => ({ path, image, pinned: pinnedName(image, digest) }));
}

function warningsOf({ image, verdict: { warnings, policies } }: JudgedFields): readonly string[] {
  if (warnings.length === 0) return [];
  // What is only to be audited is told to nobody but the audit log.
  const audited = policies.filter(({ mode }) => mode === 'audit').map(({ policy }) => `${policy}: `);
  return warnings
    .filter((warning) => !audited.some((start) => warning.startsWith(start)))
    .map((warning) => `${image}: ${warning}`);
}

/** Keys are qualified with the webhook's name by the API server. */
function annotationsOf(judged: readonly JudgedFields[], outcome: string): Record<string, string> {
  const annotations: Record<string, string> = { outcome, images: judged.map(auditLine).join(', ') };
  const audited = judged.flatMap(({ image, verdict: { policies } }) =>
    policies
      .filter((policy) => policy.mode === 'audit' && policy.outcome !== 'trusted')
      .map(({ policy, message }) => `${image}: ${policy}: ${message}`),
  );
  if (audited.length > 0) annotations['audit'] = audited.join('; ');
  const exceptions = judged.flatMap(({ verdict: { exception } }) => exception ?? []);
  if (exceptions.length > 0) annotations['exception'] = [...new Set(exceptions)].join('; ');
  return annotations;
}

function groupByImage(fields: readonly ReviewedImage[]): ReadonlyMap<string, readonly ReviewedImage[]> {
  return Map.groupBy(fields, ({ image }) => image);
}

function partition<T>(all: readonly T[], holds: (one: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [all.filter(holds), all.filter((one) => !holds(one))];
}
