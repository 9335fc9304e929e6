// SPDX-License-Identifier: Apache-2.0
import {
  HttpClient,
  type Clock,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from '../../wire/index.ts';
import { NOW } from './test-issuer.fixture.ts';

/** An answer to a request for a token. */
export interface TokenAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A client that opens no socket: all that it asks is recorded, and answered by a function, or fails with what that throws. */
export interface TokenServer {
  readonly client: HttpClient;
  readonly asked: TransportRequest[];
  /** `METHOD URL` of all requests */
  lines(): readonly string[];
  /** milliseconds that were waited between attempts */
  readonly waits: number[];
}

/** Answers what `answer` says, at every address. A text or bytes go out as they are, anything else as JSON. */
export function tokenServer(answer: (request: TransportRequest) => TokenAnswer | Promise<TokenAnswer>): TokenServer {
  const asked: TransportRequest[] = [];
  const waits: number[] = [];
  let now = NOW;
  const clock: Clock = {
    now: () => now,
    sleep: (milliseconds, signal) => {
      signal?.throwIfAborted();
      waits.push(milliseconds);
      now += milliseconds;
      return Promise.resolve();
    },
  };
  const transport: Transport = {
    async request(request) {
      request.signal.throwIfAborted();
      asked.push(request);
      return encode(await answer(request));
    },
    close: () => undefined,
  };
  const client = new HttpClient({ transport, clock, random: () => 0.5 });
  return { client, asked, waits, lines: () => asked.map(({ method, url }) => `${method} ${url.href}`) };
}

/** A server that nobody may ask. */
export function silentServer(): TokenServer {
  return tokenServer(({ url }) => {
    throw new Error(`${url.href} was asked`);
  });
}

/** The JSON body of a request. */
export function jsonBody(request: TransportRequest): unknown {
  return request.body instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(request.body)) : undefined;
}

function encode({ status = 200, headers = {}, body }: TokenAnswer): TransportResponse {
  const bytes =
    body instanceof Uint8Array
      ? body
      : new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    remoteAddress: '1.1.1.1',
    body: once(bytes),
    discard: () => Promise.resolve(),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve();
  if (bytes.byteLength > 0) yield bytes;
}
