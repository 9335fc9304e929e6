// SPDX-License-Identifier: Apache-2.0
import type { Principal } from '../auth/access.ts';

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

/** A request that was routed and allowed. */
export interface Request extends Call {
  readonly query: URLSearchParams;
  readonly principal: Principal;
}

/** An answer, without its socket. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** a stream has the length that `content-length` says */
  readonly body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

/** A header that may stand once. */
export function header(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return typeof value === 'string' ? value : value?.join(', ');
}

/** An answer in JSON. */
export function json(value: unknown, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 200, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}
