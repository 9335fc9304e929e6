// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import { checkHost, hostKind, hostOf, resolveWithin, systemLookup, type Lookup } from './address.ts';
import { contentLength, discardBody, isShort, silence, watchBody, type BodyWatch } from './body.ts';
import { demandSoundClient } from './client-certificate.ts';
import { isUnknownRoot, transportFailure } from './failure.ts';
import { proxyRules, throughProxy, type Environment, type ProxyRules } from './proxy.ts';
import { chooseRoots, mayAddMachineRoots } from './tls-roots.ts';
import {
  MAX_HEADER_BYTES,
  type HttpHeaders,
  type StreamedBody,
  type TlsSettings,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

/** What Bun's `fetch` takes besides the standard. @see https://bun.com/docs/runtime/networking/fetch */
interface BunRequestInit extends Omit<RequestInit, 'body'> {
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  readonly tls?: BunTls;
  readonly proxy?: string | false;
  readonly decompress?: boolean;
  readonly timeout?: false;
}
interface BunTls {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
  readonly rejectUnauthorized?: boolean;
}
type BunFetch = (url: string, init: BunRequestInit) => Promise<Response>;

const NO_TLS: TlsSettings = {};

/** The transport on Bun, whose `fetch` is its fastest client. It pools connections by address and TLS settings itself. */
export class FetchTransport implements Transport {
  readonly #environment: Environment;
  readonly #lookup: Lookup;
  #proxies: ProxyRules | undefined;
  readonly #needMachineRoots = new Set<TlsSettings>();

  constructor(options: TransportOptions = {}) {
    this.#environment = options.environment ?? process.env;
    this.#lookup = options.lookup ?? systemLookup;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { url, reach } = request;
    if (request.signal.aborted) throw request.signal.reason as Error;
    if (reach !== undefined) checkHost(url, reach);
    this.#proxies ??= proxyRules(this.#environment);
    const proxy = this.#proxies.proxyFor(url);
    // Through a proxy a name is resolved there, out of our sight: only literal addresses were checked.
    if (reach === undefined || proxy !== undefined || hostKind(url) !== undefined)
      return this.#withRoots(request, proxy);
    return this.#pinned(request, await this.#resolve(url, reach));
  }

  close(): void {
    // Bun's pool ends its idle connections itself, and they do not keep the process alive.
  }

  async #resolve(url: URL, reach: NonNullable<TransportRequest['reach']>): Promise<readonly string[]> {
    try {
      const addresses = await resolveWithin(hostOf(url), reach, this.#lookup);
      return addresses.map(({ address }) => address);
    } catch (error) {
      throw transportFailure(error, url.host);
    }
  }

  /** Connects to an address that was checked, not to a name that could resolve anew. TLS still checks the name. */
  async #pinned(request: TransportRequest, addresses: readonly string[]): Promise<TransportResponse> {
    const { url } = request;
    let failure: unknown;
    for (const address of addresses) {
      const pinned = new URL(url);
      pinned.hostname = address.includes(':') ? `[${address}]` : address;
      try {
        return await this.#withRoots(request, undefined, pinned);
      } catch (error) {
        failure = error;
        if (!(error instanceof WireError && error.code === 'unreachable')) break;
      }
    }
    throw failure;
  }

  async #withRoots(request: TransportRequest, proxy: URL | undefined, pinned?: URL): Promise<TransportResponse> {
    const tls = request.tls ?? NO_TLS;
    try {
      return await this.#send(request, tls, proxy, pinned);
    } catch (error) {
      const curable =
        isUnknownRoot(error) && mayAddMachineRoots(tls, this.#environment) && !this.#needMachineRoots.has(tls);
      if (!curable) throw error;
      this.#needMachineRoots.add(tls);
      return this.#send(request, tls, proxy, pinned);
    }
  }

  async #send(
    request: TransportRequest,
    tls: TlsSettings,
    proxy: URL | undefined,
    pinned: URL | undefined,
  ): Promise<TransportResponse> {
    const { url, signal, timeouts, body } = request;
    const host = url.host;
    const connection = new AbortController();
    const interrupt = (reason: Error): void => connection.abort(reason);
    let timer: NodeJS.Timeout | undefined;
    const limit = (milliseconds: number, doing: string): void => {
      clearTimeout(timer);
      const reason = (): WireError => new WireError('timeout', `${host} did not ${doing} within ${milliseconds} ms`);
      timer = setTimeout(() => interrupt(reason()), milliseconds);
    };
    const abort = (): void => interrupt(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    const streamed = body === undefined || body instanceof Uint8Array ? undefined : outgoingBody(body, limit, timeouts);
    limit(timeouts.connectMs + timeouts.headersMs, 'answer');
    try {
      const secure = url.protocol === 'https:';
      const payload = streamed?.chunks ?? (body as Uint8Array | undefined);
      const send = fetch as unknown as BunFetch;
      const response = await send((pinned ?? url).href, {
        method: request.method,
        headers: outgoingHeaders(request),
        ...(payload === undefined ? {} : { body: payload }),
        redirect: 'manual',
        signal: connection.signal,
        proxy: proxy?.href ?? false,
        decompress: false,
        timeout: false,
        ...(secure ? { tls: this.#tls(tls, pinned === undefined ? undefined : hostOf(url)) } : {}),
      });
      return answer(response, request, interrupt);
    } catch (error) {
      // Whatever fetch makes of it, what ended the request is what we say.
      const failure = streamed?.failure();
      if (failure !== undefined) throw failure;
      if (connection.signal.aborted) throw connection.signal.reason as Error;
      const explained = transportFailure(error, host);
      throw proxy === undefined ? explained : throughProxy(explained, proxy);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  #tls(tls: TlsSettings, name: string | undefined): BunTls {
    demandSoundClient(tls);
    const roots = chooseRoots(tls, this.#environment, this.#needMachineRoots.has(tls));
    const serverName = tls.serverName ?? name;
    return {
      ...(roots === undefined ? {} : { ca: roots }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
      ...(serverName === undefined ? {} : { serverName }),
      rejectUnauthorized: tls.insecure !== true,
    };
  }
}

function outgoingHeaders(request: TransportRequest): Record<string, string> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', host: request.url.host, ...request.headers };
  if (request.body !== undefined && !(request.body instanceof Uint8Array)) {
    headers['content-length'] = String(request.body.length);
  }
  return headers;
}

interface OutgoingBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** what went wrong in the source itself */
  failure(): Error | undefined;
}

function outgoingBody(
  body: StreamedBody,
  limit: (milliseconds: number, doing: string) => void,
  timeouts: TransportRequest['timeouts'],
): OutgoingBody {
  let failure: Error | undefined;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let sent = 0;
    try {
      for await (const chunk of body.open()) {
        sent += chunk.byteLength;
        if (sent > body.length) break;
        limit(timeouts.idleMs, 'take more of the request');
        yield chunk;
      }
      if (sent !== body.length) {
        throw new WireError(
          'protocol-violation',
          `the body to send is not the ${body.length} bytes that were announced`,
        );
      }
    } catch (error) {
      failure = error as Error;
      throw error;
    }
    limit(timeouts.headersMs, 'answer');
  }
  return { chunks: chunks(), failure: () => failure };
}

function answer(response: Response, request: TransportRequest, interrupt: (reason: Error) => void): TransportResponse {
  const host = request.url.host;
  const headers = joinHeaders(response, host, interrupt);
  const unread = (): void =>
    interrupt(new WireError('connection-reset', `${host}: nobody reads the rest of this answer`));
  const watch: BodyWatch = {
    idleMs: request.timeouts.idleMs,
    signal: request.signal,
    host,
    interrupt,
    explain: (error) => transportFailure(error, host),
    finish: (complete) => {
      if (!complete) unread();
    },
  };
  let body: AsyncIterable<Uint8Array> | undefined;
  let taken = false;
  // `response.body` makes a stream of what could be had at once
  const streamed = (): AsyncIterable<Uint8Array> =>
    (body ??= watchBody(response.body === null ? nothing() : (response.body as AsyncIterable<Uint8Array>), watch));
  const whole = (): Promise<Uint8Array> => {
    taken = true;
    return readWhole(response, contentLength(headers), watch);
  };
  return {
    status: response.status,
    headers,
    body: { [Symbol.asyncIterator]: () => streamed()[Symbol.asyncIterator]() },
    ...(isShort(headers) && request.method !== 'HEAD' ? { whole } : {}),
    discard: async () => {
      if (!taken) await discardBody(headers, streamed(), unread);
    },
  };
}

/** All of a short body, watched over as `watchBody` does; the silence that it limits is that of the whole. */
async function readWhole(response: Response, announced: number | undefined, watch: BodyWatch): Promise<Uint8Array> {
  const { signal, host, idleMs } = watch;
  let failure: Error | undefined;
  const interrupt = (reason: Error): void => {
    failure ??= reason;
    watch.interrupt(failure);
  };
  const abort = (): void => interrupt(signal.reason as Error);
  const timer = setTimeout(() => interrupt(silence(watch)), idleMs);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let complete = false;
  try {
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (failure !== undefined) throw failure;
    if (bytes.byteLength !== announced) {
      throw new WireError('connection-reset', `${host}: ${bytes.byteLength} bytes of ${announced} came`);
    }
    complete = true;
    return bytes;
  } catch (error) {
    throw failure ?? watch.explain(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    watch.finish(complete);
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // an answer without a body
}

function joinHeaders(response: Response, host: string, interrupt: (reason: Error) => void): HttpHeaders {
  const headers: Record<string, string> = {};
  let size = 0;
  for (const [name, value] of response.headers) {
    size += name.length + value.length;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  if (size > MAX_HEADER_BYTES) {
    const failure = new WireError('protocol-violation', `${host}: the header of its answer is too large`);
    interrupt(failure);
    throw failure;
  }
  return headers;
}
