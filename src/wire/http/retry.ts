// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../coded-error.ts';

/** How often and how long apart a request is tried. */
export interface RetryPolicy {
  /** times that a request is sent at most, the first included */
  readonly attempts: number;
  /** milliseconds; the wait before the n-th repetition is random between 0 and `base × 2ⁿ⁻¹` */
  readonly baseMs: number;
  /** milliseconds; no wait of our own choosing is longer */
  readonly capMs: number;
}

/** Five attempts within some four seconds. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseMs: 250, capMs: 8000 };

const STATUSES = new Set([408, 429, 500, 502, 503, 504]);
const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

/** Methods that may be sent twice. @see https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2 */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/** Answers that may be another the next time. */
export function isPassingStatus(status: number): boolean {
  return STATUSES.has(status);
}

/** Failures that may not happen the next time: resets, attempts out of time, a resolver that is busy. */
export function isPassingFailure(error: unknown): boolean {
  if (!(error instanceof CodedError)) return false;
  if (error.code === 'connection-reset' || error.code === 'timeout') return true;
  return error.code === 'unreachable' && (error.cause as { code?: unknown } | undefined)?.code === 'EAI_AGAIN';
}

/**
 * The wait before an attempt is repeated, in milliseconds: what the server asked for plus a little jitter, so that not all clients come
 * back at once, or else "full jitter" over an exponential bound.
 *
 * @param attempt the number of the attempt that failed, from 1
 * @param random from 0 up to 1
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  retryAfterMs: number | undefined,
  random: () => number,
): number {
  if (retryAfterMs !== undefined) return retryAfterMs + Math.floor(random() * policy.baseMs);
  return Math.floor(random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1)));
}

/**
 * Reads Retry-After, given as seconds or as a date, to milliseconds from now. Undefined where it is absent or makes no sense.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  // all three forms of HTTP-date begin with the name of a day
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined;
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
