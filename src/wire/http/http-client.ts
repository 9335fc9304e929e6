// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../coded-error.ts';
import { WireError } from '../wire-error.ts';
import { addressKind, checkHost, hostKind, hostOf, systemLookup, type Lookup, type Reach } from './address.ts';
import { systemClock, type Clock } from './clock.ts';
import { isRedirect, redirectTarget, shownUrl, withoutSecrets } from './redirect.ts';
import {
  DEFAULT_RETRY,
  isIdempotent,
  isPassingFailure,
  isPassingStatus,
  parseRetryAfter,
  retryDelay,
  type RetryPolicy,
} from './retry.ts';
import { TimeLimit } from './time-limit.ts';
import {
  openTransport,
  type HttpHeaders,
  type RequestBody,
  type Timeouts,
  type TlsSettings,
  type Transport,
  type TransportResponse,
} from './transport.ts';

/** What an HttpClient can be told. */
export interface HttpClientOptions {
  /** the runtime's own unless told; a function is called with the first request */
  readonly transport?: Transport | (() => Promise<Transport>);
  readonly clock?: Clock;
  /** from 0 up to 1 */
  readonly random?: () => number;
  readonly retry?: Partial<RetryPolicy>;
  readonly timeouts?: Partial<Timeouts>;
  /** redirects that are followed; 5 unless told */
  readonly redirects?: number;
  readonly lookup?: Lookup;
}

/** A request with its policy. Header names in lower case. */
export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: HttpHeaders;
  readonly body?: RequestBody;
  /** client certificate and server name are used with the origin of `home` (or `url`) only */
  readonly tls?: TlsSettings;
  /**
   * The server for whose sake all this is asked. Where it is https, everything asked must be; and addresses of this machine, private
   * networks, links and clouds' metadata are reached only where it has such an address itself.
   */
  readonly home?: URL;
  /** Which addresses are reached, `home`'s own included: for a `home` that a stranger has named. */
  readonly reach?: Reach;
  /** when the exchange must have ended, with all its repetitions and the body read: milliseconds since 1970 */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** whether it may be sent again; by the method unless told */
  readonly repeatable?: boolean;
  /** whether it may be sent again after the connection failed, where it may be sent again at all; true unless told */
  readonly repeatFailures?: boolean;
  /** redirects that are followed, where not the client's number */
  readonly redirects?: number;
}

/** An answer, whatever its status. */
export interface HttpResponse extends TransportResponse {
  /** who answered in the end, after redirects */
  readonly url: URL;
  /** what was asked first */
  readonly asked: URL;
  /** the number of times that the request was sent */
  readonly attempts: number;
}

const DEFAULT_TIMEOUTS: Timeouts = { connectMs: 10_000, headersMs: 30_000, idleMs: 30_000 };

/**
 * Requests with deadlines, retries, redirects and address rules over a transport.
 *
 * @example
 * const client = new HttpClient();
 * const body = await client.exchange({ method: 'GET', url }, (response) => readBody(response, 65_536, 'the answer'));
 */
export class HttpClient {
  readonly clock: Clock;
  readonly random: () => number;
  readonly #options: HttpClientOptions;
  readonly #retry: RetryPolicy;
  readonly #timeouts: Timeouts;
  #transport: Promise<Transport> | undefined;
  readonly #lookup: Lookup;
  readonly #reaches = new Map<string, Reach>();
  readonly #foreignTls = new WeakMap<TlsSettings, TlsSettings>();

  constructor(options: HttpClientOptions = {}) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.#retry = { ...DEFAULT_RETRY, ...options.retry };
    this.#timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
    this.#lookup = options.lookup ?? systemLookup;
  }

  /**
   * Sends a request and gives its answer to `consume`, whose failures over the connection are failures of the request: the whole is
   * repeated where that may help and does no harm. What is still bad at the end (429, 503, …) is answered, not thrown.
   *
   * @throws WireError `unreachable`, `connection-reset`, `timeout`, `tls-failed`, `address-refused`, `redirect-refused`,
   *   `protocol-violation`
   */
  async exchange<T>(request: HttpRequest, consume: (response: HttpResponse) => Promise<T>): Promise<T> {
    const limit = new TimeLimit(request, request.url.host, this.clock);
    try {
      return await this.#repeat(request, limit, async (response) => {
        try {
          return await consume(response);
        } finally {
          await response.discard();
        }
      });
    } finally {
      limit.end();
    }
  }

  /**
   * As `exchange`, but hands out the answer with its body still to be read. The deadline ends with the header; the body then has
   * `bodyMs`, and the silence between two chunks is limited.
   */
  async open(request: HttpRequest, bodyMs: (response: HttpResponse) => number): Promise<HttpResponse> {
    const limit = new TimeLimit(request, request.url.host, this.clock);
    try {
      const response = await this.#repeat(request, limit, (answer) => Promise.resolve(answer));
      limit.extend(bodyMs(response));
      const { whole: _whole, ...streamed } = response; // its end would not end the limit
      return {
        ...streamed,
        body: endWith(response.body, limit),
        discard: () => response.discard().finally(() => limit.end()),
      };
    } catch (error) {
      limit.end();
      throw error;
    }
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    (await this.#transport)?.close();
  }

  async #repeat<T>(
    request: HttpRequest,
    limit: TimeLimit,
    consume: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const attempts = (request.repeatable ?? isIdempotent(request.method)) ? this.#retry.attempts : 1;
    for (let attempt = 1; ; attempt++) {
      let delay: number | undefined;
      try {
        const response = await this.#follow(request, limit, attempt);
        if (attempt < attempts && isPassingStatus(response.status))
          delay = this.#delay(attempt, limit, response.headers);
        if (delay === undefined) return await consume(response);
        await response.discard();
      } catch (error) {
        if (limit.expired) throw limit.error();
        const again = attempt < attempts && request.repeatFailures !== false && isPassingFailure(error);
        delay = again ? this.#delay(attempt, limit) : undefined;
        if (delay === undefined) throw withAttempts(error, attempt);
      }
      await this.clock.sleep(delay, limit.signal);
    }
  }

  /** Undefined where waiting is of no use: the deadline comes first. */
  #delay(attempt: number, limit: TimeLimit, headers: HttpHeaders = {}): number | undefined {
    const asked = parseRetryAfter(headers['retry-after'], this.clock.now());
    const delay = retryDelay(this.#retry, attempt, asked, this.random);
    return delay < limit.remaining() ? delay : undefined;
  }

  async #follow(request: HttpRequest, limit: TimeLimit, attempts: number): Promise<HttpResponse> {
    const most = request.redirects ?? this.#options.redirects ?? 5;
    let url = request.url;
    let headers = request.headers ?? {};
    for (let hops = 0; ; hops++) {
      const response = await this.#send(request, url, headers, limit);
      if (!isRedirect(response.status)) return { ...response, url, asked: request.url, attempts };
      await response.discard();
      const next = redirectTarget(request.method, response, url);
      if (hops >= most) {
        throw new WireError(
          'redirect-refused',
          `${request.url.host} redirects more than ${most} times (last to ${shownUrl(next)})`,
        );
      }
      if (next.origin !== url.origin) headers = withoutSecrets(headers);
      url = next;
    }
  }

  async #send(request: HttpRequest, url: URL, headers: HttpHeaders, limit: TimeLimit): Promise<TransportResponse> {
    const home = request.home;
    let reach = request.reach;
    if (reach === undefined && home !== undefined && hostOf(url) !== hostOf(home)) reach = await this.#reachOf(home);
    if (reach !== undefined) checkHost(url, reach);
    if (home?.protocol === 'https:' && url.protocol !== 'https:') {
      throw new WireError(
        'redirect-refused',
        `${home.host} speaks https and sends us to ${shownUrl(url)}, which does not`,
      );
    }
    const tls = this.#tlsFor(request, url);
    this.#transport ??= this.#openTransport();
    const transport = await this.#transport;
    const response = await transport.request({
      method: request.method,
      url,
      headers,
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(tls === undefined ? {} : { tls }),
      ...(reach === undefined ? {} : { reach }),
      signal: limit.signal,
      timeouts: this.#timeouts,
    });
    if (reach === undefined && response.remoteAddress !== undefined) {
      this.#reaches.set(hostOf(url), addressKind(response.remoteAddress) ?? 'public');
    }
    return response;
  }

  async #reachOf(home: URL): Promise<Reach> {
    const known = hostKind(home) ?? this.#reaches.get(hostOf(home));
    if (known !== undefined) return known;
    // The transport did not say whom it talked to.
    const addresses = await this.#lookup(hostOf(home)).catch(() => []);
    const reach = addressKind(addresses[0]?.address ?? '') ?? 'public';
    this.#reaches.set(hostOf(home), reach);
    return reach;
  }

  async #openTransport(): Promise<Transport> {
    const { transport } = this.#options;
    return typeof transport === 'function' ? transport() : (transport ?? openTransport());
  }

  #tlsFor(request: HttpRequest, url: URL): TlsSettings | undefined {
    const tls = request.tls;
    if (tls === undefined || url.origin === (request.home ?? request.url).origin) return tls;
    let foreign = this.#foreignTls.get(tls);
    if (foreign === undefined) {
      const { cert: _cert, key: _key, serverName: _name, ...rest } = tls;
      this.#foreignTls.set(tls, (foreign = rest));
    }
    return foreign;
  }
}

async function* endWith(body: AsyncIterable<Uint8Array>, limit: TimeLimit): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    limit.end();
  }
}

function withAttempts(error: unknown, attempt: number): unknown {
  if (attempt === 1 || !(error instanceof WireError) || !(error instanceof CodedError)) return error;
  return new WireError(error.code, `${error.message} (tried ${attempt} times)`, { cause: error.cause ?? error });
}
