// SPDX-License-Identifier: Apache-2.0

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
