// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { Json, Reply } from '../../wire/index.ts';
import { REVIEW_VERSION } from './admission-review.ts';
import type { PatchOperation } from './pin-images.ts';

/** An answer to a review. */
export interface ReviewAnswer {
  readonly uid: string;
  readonly allowed: boolean;
  /** why it is denied */
  readonly denial?: { readonly status: 400 | 403 | 500 | 503; readonly message: string };
  /** for the mutating endpoint alone; a validating webhook must not send any */
  readonly patch?: readonly PatchOperation[];
  readonly warnings?: readonly string[];
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** Lengths in characters. The API server cuts a warning at 256 and drops what is beyond 4096 in all. */
const ANSWER_LIMITS: {
  readonly message: number;
  readonly warning: number;
  readonly warnings: number;
  readonly annotation: number;
} = { message: 4096, warning: 256, warnings: 4096, annotation: 2048 };

const REASONS = { 400: 'BadRequest', 403: 'Forbidden', 500: 'InternalError', 503: 'ServiceUnavailable' } as const;
const HEADERS: Readonly<Record<string, string>> = { 'content-type': 'application/json' };
const BEFORE = `{"apiVersion":"${REVIEW_VERSION}","kind":"AdmissionReview","response":`;

/**
 * An answer as the API server takes it: always HTTP 200, the review's own `uid`, and `patch` with `patchType` or neither.
 *
 * @see https://pkg.go.dev/k8s.io/api/admission/v1#AdmissionResponse
 */
export function reviewReply({ uid, allowed, denial, patch, warnings = [], auditAnnotations }: ReviewAnswer): Reply {
  const response: Record<string, Json> = { uid, allowed };
  if (denial !== undefined) {
    const { status: code, message } = denial;
    response['status'] = {
      status: 'Failure',
      code,
      reason: REASONS[code],
      message: line(message, ANSWER_LIMITS.message),
    };
  }
  if (patch !== undefined && patch.length > 0) {
    response['patchType'] = 'JSONPatch';
    response['patch'] = Buffer.from(JSON.stringify(patch)).toString('base64');
  }
  if (warnings.length > 0) response['warnings'] = cappedWarnings(warnings);
  if (auditAnnotations !== undefined) response['auditAnnotations'] = cappedAnnotations(auditAnnotations);
  return { status: 200, headers: HEADERS, body: `${BEFORE}${JSON.stringify(response)}}` };
}

/** Of words that strangers wrote, on one line, and nothing that a terminal would obey. */
function line(text: string, length: number): string {
  return cut(printable(text, length), length);
}

/** A text of at most so many characters, that says where it was cut. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const kept = text.slice(0, length - 1);
  // not in the middle of a pair
  return `${/[\uD800-\uDBFF]$/.test(kept) ? kept.slice(0, -1) : kept}…`;
}

function cappedWarnings(warnings: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let left = ANSWER_LIMITS.warnings;
  for (const warning of warnings) {
    const text = line(warning, ANSWER_LIMITS.warning);
    left -= text.length;
    if (left < 0) break;
    kept.push(text);
  }
  return kept;
}

function cappedAnnotations(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const capped: Record<string, string> = {};
  for (const [key, value] of Object.entries(annotations)) capped[key] = line(value, ANSWER_LIMITS.annotation);
  return capped;
}
