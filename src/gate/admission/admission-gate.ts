// SPDX-License-Identifier: Apache-2.0
import { CodedError, header, WireError, type Call, type Reply, type Service } from '../../wire/index.ts';
import { GateError } from '../error.ts';
import { AdmissionError, ReviewFault } from './admission-error.ts';
import { decodeReview, REVIEW_LIMITS } from './admission-review.ts';
import { decisionRecord, recordedRequest, type RecordedRequest } from './decision-record.ts';
import { ImageJudge } from './image-judge.ts';
import { JUDGE_LIMITS, type JudgeLimits, type JudgeState } from './judge-limits.ts';
import type { DecisionObserver, PolicySource, PullCredentials } from './ports.ts';
import { reviewReply } from './review-answer.ts';
import { ReviewDeadline } from './review-deadline.ts';
import { ReviewRoom, type Place } from './review-room.ts';
import { Reviewer, type Endpoint, type MutateMode, type PosedReview, type Review } from './reviewer.ts';
import type { SummaryKeeper } from './summary-keeper.ts';
import { SILENT, type GateTelemetry } from './telemetry.ts';

/** What a gate is made of. */
export interface AdmissionGateOptions {
  readonly policies: PolicySource;
  readonly credentials: PullCredentials;
  /** told of each decision, after its answer is made */
  readonly observers?: readonly DecisionObserver[];
  /** whose images are written back with their digest; `pods` unless told */
  readonly mutate?: MutateMode;
  /** names of namespaces that the gate does not judge */
  readonly excludedNamespaces?: readonly string[];
  readonly telemetry?: GateTelemetry;
  /** what the gate has verified is kept as signed summaries; nothing is unless told */
  readonly summaries?: SummaryKeeper;
  readonly limits?: Partial<JudgeLimits>;
  readonly now?: () => Date;
}

/** A gate, without its socket. */
export interface AdmissionGate {
  /** `POST /mutate`, `POST /validate`, `GET /healthz`, `GET /readyz` */
  readonly service: Service;
  /** what is kept and under way, for metrics */
  state(): JudgeState;
}

/**
 * A gate for the Kubernetes API server: AdmissionReview v1. It fails closed: what is malformed, refused, or could not be found out in time is
 * denied, with the reason.
 *
 * @example
 * const { service } = createAdmissionGate({ policies: { current: () => ({ set }) }, credentials });
 * const server = await serve({ service, host: '0.0.0.0', port: 8443, tls });
 */
export function createAdmissionGate(options: AdmissionGateOptions): AdmissionGate {
  const { policies, credentials, telemetry = SILENT, observers = [], now = () => new Date() } = options;
  const judge = new ImageJudge(now, { ...JUDGE_LIMITS, ...options.limits }, telemetry, options.summaries);
  const excluded = new Set(options.excludedNamespaces);
  const reviewer = new Reviewer({ policies, judge, credentials, mutate: options.mutate ?? 'pods', excluded });
  const webhooks = new Webhooks(reviewer, observers, telemetry, now);
  const fault = (error: unknown): Reply => {
    if (!(error instanceof CodedError)) telemetry.failed(error);
    return httpFault(error);
  };
  return { service: { answer: (call) => answer(call, webhooks, policies), fault }, state: () => judge.state };
}

async function answer(call: Call, webhooks: Webhooks, policies: PolicySource): Promise<Reply> {
  const { target, method } = call;
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (path === '/validate' || path === '/mutate') {
    if (method !== 'POST') return text(405, 'an AdmissionReview is sent with POST', { allow: 'POST' });
    return webhooks.review(call, path === '/mutate' ? 'mutate' : 'validate');
  }
  if (path !== '/healthz' && path !== '/readyz') return text(404, 'there are /mutate, /validate, /healthz and /readyz');
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'this is asked for with GET', { allow: 'GET, HEAD' });
  if (path === '/healthz' || policies.current() !== undefined) return text(200, 'ok');
  return text(503, policies.pending?.() ?? 'policies and trusted roots are not loaded yet');
}

/** What was read of a review. */
interface ReadReview {
  readonly request: RecordedRequest;
  readonly posed: PosedReview | Review;
  /** a policy looks at the object, so that it is held to the end */
  readonly isHeld: boolean;
}

const MALFORMED: Review = { allowed: false, code: 'malformed', images: [] };

/** The life of a review: read, decode, judge, answer, tell. */
class Webhooks {
  readonly #reviewer: Reviewer;
  readonly #observers: readonly DecisionObserver[];
  readonly #telemetry: GateTelemetry;
  readonly #now: () => Date;
  readonly #room: ReviewRoom = new ReviewRoom();

  constructor(reviewer: Reviewer, observers: readonly DecisionObserver[], telemetry: GateTelemetry, now: () => Date) {
    this.#reviewer = reviewer;
    this.#observers = observers;
    this.#telemetry = telemetry;
    this.#now = now;
  }

  /** @throws WireError, AdmissionError and ReviewFault for what has no `uid`, so that there is no review to answer */
  async review(call: Call, endpoint: Endpoint): Promise<Reply> {
    const deadline = new ReviewDeadline(call.target);
    const ended = this.#telemetry.began(endpoint);
    let request: RecordedRequest | undefined;
    let review: Review = MALFORMED;
    let place: Place | undefined;
    try {
      checkType(call);
      place = this.#room.enter();
      const read = await place.read(call, REVIEW_LIMITS.maxBytes, deadline).then((bytes) => this.#read(bytes));
      ({ request } = read);
      if (!read.isHeld) place.release();
      review = 'allowed' in read.posed ? read.posed : await this.#reviewer.answer(read.posed, endpoint, deadline);
      return reviewReply({ uid: request.review, ...review });
    } catch (error) {
      const uid = request?.review ?? (error instanceof ReviewFault ? error.uid : undefined);
      if (uid === undefined) {
        if (error instanceof AdmissionError && !(error instanceof ReviewFault))
          review = { ...review, code: error.code };
        throw error;
      }
      review = this.#denial(error);
      return reviewReply({ uid, ...review });
    } finally {
      place?.leave();
      deadline.end();
      this.#tell(request, endpoint, review, deadline.elapsed, ended);
    }
  }

  /** What is asked, without the object around it: while a registry is waited for, a small part of what was sent is held. */
  #read(bytes: Uint8Array): ReadReview {
    const decoded = decodeReview(bytes);
    const request = recordedRequest(decoded);
    try {
      const posed = this.#reviewer.pose(decoded);
      return { request, posed, isHeld: 'object' in posed && posed.object.isRead };
    } catch (error) {
      return { request, posed: this.#denial(error), isHeld: false };
    }
  }

  #denial(error: unknown): Review {
    if (error instanceof ReviewFault || error instanceof GateError) {
      const code = error.code === 'too-many-images' ? 'too-many' : 'malformed';
      return denied(code, 400, error.message);
    }
    if (error instanceof AdmissionError && error.code === 'deadline') return denied('deadline', 503, error.message);
    this.#telemetry.failed(error);
    return denied('fault', 500, 'the gate itself failed, so that nothing is admitted; its log says why');
  }

  #tell(
    request: RecordedRequest | undefined,
    endpoint: Endpoint,
    review: Review,
    milliseconds: number,
    ended: ReturnType<GateTelemetry['began']>,
  ): void {
    const { allowed, code, images } = review;
    const at = this.#now();
    const record =
      request === undefined
        ? undefined
        : (): ReturnType<typeof decisionRecord> => decisionRecord(request, endpoint, review, at, milliseconds);
    const about = { allowed, code, milliseconds, images: images.length };
    ended(record === undefined ? about : { ...about, record });
    if (record === undefined || this.#observers.length === 0) return;
    const told = record();
    // The answer is not held up, and not turned into another, by who hears of it.
    setImmediate(() => {
      for (const observer of this.#observers) {
        try {
          observer.decided(told);
        } catch (error) {
          this.#telemetry.failed(error);
        }
      }
    });
  }
}

function denied(code: string, status: 400 | 500 | 503, message: string): Review {
  return { allowed: false, code, denial: { status, message }, images: [] };
}

function checkType(call: Call): void {
  const type = header(call, 'content-type');
  if (type !== undefined && /^application\/json\s*(?:;|$)/i.test(type)) return;
  throw new AdmissionError('not-served', 'an AdmissionReview is sent as application/json');
}

/** What has no review to answer to: the API server counts it as a failed call, and the failure policy denies. */
function httpFault(error: unknown): Reply {
  if (error instanceof WireError) {
    const status = { 'too-large': 413, 'body-slow': 408 }[error.code as string] ?? 400;
    return text(status, error.message);
  }
  if (error instanceof ReviewFault) return text(400, error.message);
  // Of these the rest need not come.
  if (error instanceof AdmissionError && error.code === 'deadline') return text(408, error.message, CLOSE);
  if (error instanceof AdmissionError && error.code === 'overloaded') return text(503, error.message, CLOSE);
  if (error instanceof AdmissionError && error.code === 'not-served') return text(415, error.message);
  return text(500, 'the gate itself failed; its log says why');
}

const CLOSE = { connection: 'close' };

function text(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${message}\n` };
}
