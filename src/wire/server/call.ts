// SPDX-License-Identifier: Apache-2.0
import { readBody } from '../http/body.ts';

/** A request, without its socket. */
export interface Call {
  readonly method: string;
  /** path and query as they were sent */
  readonly target: string;
  /** names in lower case */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** read at most once; not at all where the request is refused */
  readonly body: AsyncIterable<Uint8Array>;
}

/** An answer, without its socket. */
export interface Reply {
  readonly status: number;
  /** with `connection: close` nothing more is read of the request, and the connection ends with the answer */
  readonly headers: Readonly<Record<string, string>>;
  /** a stream has the length that `content-length` says */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

/** What answers requests. What it throws, `fault` of the service that it belongs to puts into words. */
export type Answer = (call: Call) => Promise<Reply>;

/** What is served: answers, and how failures are told in the service's own form. */
export interface Service {
  readonly answer: Answer;
  /** The answer to a request that failed. What nobody foresaw says nothing about itself. */
  fault(error: unknown): Reply;
}

/** A header that may stand once. */
export function header(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** An answer in JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}, status = 200): Reply {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/**
 * The whole body of a request.
 *
 * @param maxBytes of which one more is too many; what announces more is not read at all
 * @throws WireError `too-large`; `body-ended` and `body-slow` from the listener
 */
export async function readCall(call: Call, maxBytes: number): Promise<Uint8Array> {
  const length = header(call, 'content-length');
  const headers: Record<string, string> = length === undefined ? {} : { 'content-length': length };
  return await readBody({ headers, body: call.body, discard: async () => {} }, maxBytes, 'the body');
}
