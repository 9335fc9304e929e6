// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import {
  isJsonObject,
  parseJson,
  parseRetryAfter,
  readBody,
  WireError,
  type HttpHeaders,
  type Json,
  type TlsSettings,
  type Transport,
  type TransportResponse,
} from '../../wire/index.ts';
import { textOf } from '../workload/json-path.ts';
import type { ApiCall, ClusterApi } from './cluster-api.ts';
import { ClusterError, type ClusterErrorCode } from './cluster-error.ts';

/** Who asks, and how the API server is recognised. */
export interface ClusterAccess {
  readonly server: URL;
  readonly namespace: string;
  /** asked before each call: tokens change */
  authorize(): Promise<{ readonly headers: HttpHeaders; readonly tls: TlsSettings }>;
}

const TIMEOUTS = { connectMs: 5000, headersMs: 20_000, idleMs: 20_000 } as const;
/** the API server sends a bookmark each minute */
const WATCH_TIMEOUTS = { connectMs: 5000, headersMs: 20_000, idleMs: 150_000 } as const;
const MAX_BYTES = 16 * 1024 * 1024;
/** one object: the API server keeps at most 1.5 MiB, and 3 MiB where it is asked to */
const MAX_EVENT_BYTES = 8 * 1024 * 1024;
const MAX_VALUES = 2_000_000;
/** a throttled call is repeated once, where it need not wait longer than this (ms) */
const MAX_PAUSE = 2000;

const CODES: Readonly<Record<number, ClusterErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'conflict',
  410: 'gone',
  429: 'throttled',
};

/** The API of a cluster over HTTP, with a cap on what is read and on how long is waited. */
export class HttpClusterApi implements ClusterApi {
  readonly server: string;
  readonly namespace: string;
  readonly #access: ClusterAccess;
  readonly #transport: Transport;

  constructor(access: ClusterAccess, transport: Transport) {
    this.server = access.server.origin;
    this.namespace = access.namespace;
    this.#access = access;
    this.#transport = transport;
  }

  async call(call: ApiCall): Promise<Json> {
    try {
      return await this.#once(call);
    } catch (error) {
      const pause = call.method === 'GET' ? pauseAfter(error) : undefined;
      if (pause === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
      call.signal?.throwIfAborted();
      return await this.#once(call);
    }
  }

  async *watch(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<Json, void, undefined> {
    const call: ApiCall = { method: 'GET', path, query: { ...query, watch: 'true' }, signal };
    const response = await this.#send(call, WATCH_TIMEOUTS);
    if (response.status !== 200) throw await failure(response, call, this.server);
    const what = `an event of ${path}`;
    const limits = { what, maxBytes: MAX_EVENT_BYTES, maxValues: MAX_VALUES };
    let rest: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of response.body) {
      let from = 0;
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
        const line = Buffer.concat([...rest, chunk.subarray(from, end)]);
        [rest, length, from] = [[], 0, end + 1];
        if (line.length > 0) yield parseJson(line, limits);
      }
      if (from === chunk.length) continue;
      rest.push(chunk.subarray(from));
      length += chunk.length - from;
      if (length > MAX_EVENT_BYTES) throw new WireError('too-large', `${what} has more than ${MAX_EVENT_BYTES} bytes`);
    }
  }

  close(): void {
    this.#transport.close();
  }

  async #once(call: ApiCall): Promise<Json> {
    const response = await this.#send(call, TIMEOUTS);
    if (response.status < 200 || response.status > 299) throw await failure(response, call, this.server);
    const maxBytes = call.maxBytes ?? MAX_BYTES;
    const what = `the answer to ${call.method} ${call.path}`;
    return parseJson(await readBody(response, maxBytes, what), { what, maxBytes, maxValues: MAX_VALUES });
  }

  async #send(call: ApiCall, timeouts: typeof TIMEOUTS | typeof WATCH_TIMEOUTS): Promise<TransportResponse> {
    const { headers, tls } = await this.#access.authorize();
    const base = this.#access.server.href.replace(/\/+$/, '');
    const url = new URL(base + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    const type = call.method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    return await this.#transport.request({
      method: call.method,
      url,
      headers: {
        accept: 'application/json',
        'user-agent': 'bulla-gate',
        ...(body === undefined ? {} : { 'content-type': type }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      tls,
      signal: call.signal ?? NEVER,
      timeouts,
    });
  }
}

const NEVER = new AbortController().signal;

/** A connection that the server had closed, or a call that it asks to repeat. */
function pauseAfter(error: unknown): number | undefined {
  if (error instanceof WireError) return error.code === 'connection-reset' ? 0 : undefined;
  if (!(error instanceof ThrottledError)) return undefined;
  return error.pauseMs <= MAX_PAUSE ? error.pauseMs : undefined;
}

class ThrottledError extends ClusterError {
  readonly pauseMs: number;

  constructor(message: string, pauseMs: number) {
    super('throttled', message, { status: 429 });
    this.pauseMs = pauseMs;
  }
}

async function failure(response: TransportResponse, call: ApiCall, server: string): Promise<ClusterError> {
  const { status, headers } = response;
  const what = `${call.method} ${call.path}`;
  const said = await saying(response);
  const message = `the API server ${server} answers ${status} to ${what}${said === '' ? '' : `: ${said}`}`;
  if (status === 429) return new ThrottledError(message, parseRetryAfter(headers['retry-after'], Date.now()) ?? 1000);
  const code = CODES[status] ?? (status >= 500 ? 'service-unavailable' : status >= 400 ? 'invalid' : 'answer-unusable');
  return new ClusterError(code, message, { status });
}

/** What the answer says about itself, as far as it can be read. */
async function saying(response: TransportResponse): Promise<string> {
  try {
    const bytes = await readBody(response, 64 * 1024, 'the answer');
    const value = parseJson(bytes, { what: 'the answer', maxBytes: 64 * 1024 });
    return isJsonObject(value) ? printable(textOf(value, 'message') ?? '', 300) : '';
  } catch {
    return '';
  }
}
