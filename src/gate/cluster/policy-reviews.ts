// SPDX-License-Identifier: Apache-2.0
import { canonicalJson, header, type Call, type Json, type Reply, type Service } from '../../wire/index.ts';
import { AdmissionError } from '../admission/admission-error.ts';
import { decodeReview, REVIEW_LIMITS, type AdmissionRequest } from '../admission/admission-review.ts';
import { reviewReply, type ReviewAnswer } from '../admission/review-answer.ts';
import { ReviewDeadline } from '../admission/review-deadline.ts';
import { ReviewRoom } from '../admission/review-room.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import { POLICY_KINDS } from './resource-kinds.ts';

/** Kinds of objects that are looked at before the cluster has them. */
export type ReviewedKind = 'policies' | 'trustRoots' | 'settings' | 'exceptions';

/** What would become of an object. */
export interface Examination {
  /** why it could never be used as it stands there */
  readonly problem?: string;
  /** what is remarkable, or still to come: a Secret that is not there yet */
  readonly remarks: readonly string[];
}

/** Looks at an object that the cluster does not have yet. */
export interface PolicyExaminer {
  examine(kind: ReviewedKind, object: Json): Promise<Examination>;
}

const KINDS: readonly ReviewedKind[] = ['policies', 'trustRoots', 'settings', 'exceptions'];
/** where the API server sends these reviews */
const POLICY_REVIEWS_PATH = '/policies';
/** Few people write policies, and whoever reaches the port may send a body: it must not cost the reviews of Pods their memory. */
const ROOM = { small: 32 * 1024, large: 10 * 1024 * 1024, reviews: 64 };

/**
 * Answers for the gate's own resources, so that who applies a policy that cannot be used hears of it there and then. It keeps nobody from anything
 * else: what cannot be examined goes in, with a warning, and its status says later what became of it; so does what was broken before and is changed
 * elsewhere than in its specification.
 *
 * @param service answers everything else
 * @example
 * const service = withPolicyReviews(gate.service, cluster);
 */
export function withPolicyReviews(service: Service, examiner: PolicyExaminer): Service {
  const room = new ReviewRoom(ROOM);
  return {
    answer: (call) =>
      call.method === 'POST' && call.target.split('?', 1)[0] === POLICY_REVIEWS_PATH
        ? review(call, examiner, room)
        : service.answer(call),
    fault: (error) => service.fault(error),
  };
}

/** @throws WireError and AdmissionError for what is no review, or for which there is no room */
async function review(call: Call, examiner: PolicyExaminer, room: ReviewRoom): Promise<Reply> {
  if (!/^application\/json\s*(?:;|$)/i.test(header(call, 'content-type') ?? ''))
    throw new AdmissionError('not-served', 'an AdmissionReview is sent as application/json');
  const place = room.enter();
  const deadline = new ReviewDeadline(call.target);
  try {
    const request = decodeReview(await place.read(call, REVIEW_LIMITS.maxBytes, deadline));
    return reviewReply({ uid: request.uid, ...(await answer(request, examiner, deadline)) });
  } finally {
    deadline.end();
    place.leave();
  }
}

async function answer(
  request: AdmissionRequest,
  examiner: PolicyExaminer,
  deadline: ReviewDeadline,
): Promise<Omit<ReviewAnswer, 'uid'>> {
  try {
    const { problem, remarks } = await deadline.within(examine(request, examiner));
    if (problem === undefined) return { allowed: true, warnings: remarks };
    return { allowed: false, denial: { status: 403, message: problem }, warnings: remarks };
  } catch {
    const warning = 'the gate could not look at this in time: its status says later whether it can be used';
    return { allowed: true, warnings: [warning] };
  }
}

async function examine(
  { resource, object, oldObject, operation, subResource }: AdmissionRequest,
  examiner: PolicyExaminer,
): Promise<Examination> {
  const kind = KINDS.find((one) => {
    const { apiVersion, plural } = POLICY_KINDS[one];
    return plural === resource.resource && apiVersion.startsWith(`${resource.group}/`);
  });
  const decides = operation === 'CREATE' || operation === 'UPDATE';
  if (kind === undefined || object === null || !decides || subResource !== '') return { remarks: [] };
  if (textOf(fieldOf(object, 'metadata'), 'deletionTimestamp') !== undefined) return { remarks: [] };
  if (oldObject !== null && specOf(oldObject) === specOf(object)) return { remarks: [] };
  return await examiner.examine(kind, object);
}

function specOf(object: Json): string {
  return canonicalJson(fieldOf(object, 'spec') ?? null);
}
