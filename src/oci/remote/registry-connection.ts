// SPDX-License-Identifier: Apache-2.0
import {
  CodedError,
  contentLength,
  hostKind,
  HttpClient,
  isNotTls,
  openTransport,
  readBody,
  shownUrl,
  WireError,
  type HttpHeaders,
  type HttpRequest,
  type HttpResponse,
  type RequestBody,
  type TlsSettings,
} from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { quoted } from '../quoted.ts';
import { registryHost } from '../reference.ts';
import type { Authorizer, Refused, Scope } from './authorizer.ts';
import { credentialsProvider } from './credentials-provider.ts';
import { DEFAULT_LIMITS, type RemoteLimits, type RemoteOptions } from './options.ts';
import { failedOnTheWay, readRefusal } from './registry-answer.ts';

/** One request to a registry. */
export interface RegistryRequest {
  /** what is attempted, as it follows "cannot" in an error */
  readonly doing: string;
  readonly method: string;
  /** a path of the API, or a URL that the registry announced */
  readonly target: string | URL;
  readonly headers?: HttpHeaders;
  readonly body?: RequestBody;
  readonly repeatable?: boolean;
  readonly scopes: readonly Scope[];
  /** milliseconds since 1970 */
  readonly deadline: number;
}

interface Challenged {
  /** WWW-Authenticate */
  readonly challenge: string | undefined;
  readonly said: string;
}
type Sent<T> = { readonly value: T } | Challenged;
type Scheme = 'http' | 'https';
type Send<T> = (http: HttpRequest) => Promise<Sent<T>>;
type Attempt<T> = (base: URL, probing: boolean) => Promise<Sent<T>>;

/** The way to one registry: which scheme it speaks, how it wants us to authenticate, what its TLS needs. */
export class RegistryConnection {
  readonly client: HttpClient;
  readonly limits: RemoteLimits;
  readonly #registry: string;
  readonly #options: RemoteOptions;
  readonly #warned = new Set<string>();
  #scheme: Scheme | undefined;
  #tls: Promise<TlsSettings> | undefined;
  /** undefined until the registry asked us to authenticate */
  #authorizer: Authorizer | undefined;

  constructor(registry: string, options: RemoteOptions) {
    this.#registry = registry;
    this.#options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.client = new HttpClient({
      ...options,
      transport: options.transport ?? (() => openTransport(transportOptions(options))),
    });
    this.#scheme = this.#mayBePlain() ? undefined : 'https';
  }

  /** When an operation that begins now must have ended. @param bytes what it transfers, where that may take longer */
  deadline(bytes: number = 0): number {
    return this.client.clock.now() + this.limits.deadlineMs + this.transferMs(bytes);
  }

  /** How long a transfer may take. */
  transferMs(bytes: number): number {
    return Math.ceil((bytes / this.limits.slowestTransfer) * 1000);
  }

  /** Says something to a person, once. */
  warn(warning: string): void {
    if (this.#warned.has(warning) || this.#warned.size > 100) return;
    this.#warned.add(warning);
    this.#options.onWarning?.(this.#authorizer?.secrets.hide(warning) ?? warning);
  }

  /**
   * Sends a request and gives the answer to `consume`. A challenge is answered once.
   * @throws RegistryError for everything that is not an answer
   */
  async exchange<T>(request: RegistryRequest, consume: (response: HttpResponse) => Promise<T>): Promise<T> {
    return this.#authorized<T>(request, (http) =>
      this.client.exchange(http, async (response) => {
        this.#relayWarnings(response);
        await this.#checkSpeech(response, http.method);
        return (await this.#challenged(response, http)) ?? { value: await consume(response) };
      }),
    );
  }

  /** As `exchange`, but hands out the answer with its body still to be read, for which its length decides how long there is. */
  async open(request: RegistryRequest): Promise<HttpResponse> {
    return this.#authorized<HttpResponse>(request, async (http) => {
      const response = await this.client.open(
        http,
        ({ headers }) => this.limits.deadlineMs + this.transferMs(contentLength(headers) ?? 0),
      );
      const challenged = await this.#challenged(response, http);
      if (challenged !== undefined) await response.discard();
      return challenged ?? { value: response };
    });
  }

  /** The error for what went wrong on the way. Errors that have a meaning already, and those of a source, stay what they are. */
  explain(error: unknown, doing: string, url: URL): unknown {
    const { signal } = this.#options;
    const ended = signal?.aborted === true && error === signal.reason && !(error instanceof CodedError);
    if (!ended) return failedOnTheWay(error, doing, url);
    return new RegistryError('timeout', `cannot ${doing}: it was ended from outside`, {
      cause: error,
      url: shownUrl(url),
    });
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    await this.client.close();
  }

  async #authorized<T>(request: RegistryRequest, send: Send<T>): Promise<T> {
    const { doing, deadline } = request;
    const scopes = this.#widened(request.scopes);
    let base = this.#base(this.#scheme ?? 'http');
    try {
      let authorization = await this.#authorizer?.known(await this.#context(base, scopes, deadline, doing));
      for (let round = 1; ; round++) {
        const sent = await this.#overScheme<T>(async (url, probing) =>
          send({
            ...(await this.#httpRequest(request, url, authorization)),
            ...(probing ? { repeatFailures: false } : {}),
          }),
        );
        if ('value' in sent) return sent.value;
        base = this.#base(this.#scheme ?? 'http');
        const context = await this.#context(base, scopes, deadline, doing);
        const refused = authorization === undefined ? context : { ...context, sent: authorization };
        this.#authorizer ??= await this.#openAuthorizer();
        if (round > 1) throw await this.#authorizer.refusedAgain(refused, sent.said);
        authorization = await this.#authorizer.answer(sent.challenge, refused);
      }
    } catch (error) {
      const explained = this.explain(error, doing, new URL(request.target, base));
      throw this.#authorizer === undefined ? explained : this.#authorizer.secrets.hideIn(explained);
    }
  }

  async #openAuthorizer(): Promise<Authorizer> {
    const { Authorizer } = await import('./authorizer.ts');
    const { signal, userAgent = 'bulla' } = this.#options;
    // who was refused at the same time must find one authorizer
    return (this.#authorizer ??= new Authorizer({
      client: this.client,
      registry: this.#registry,
      credentials: credentialsProvider(this.#options),
      userAgent,
      maxTokenBytes: this.limits.tokenBytes,
      ...(signal === undefined ? {} : { signal }),
      warn: (warning) => this.warn(warning),
    }));
  }

  async #context(base: URL, scopes: readonly Scope[], deadline: number, doing: string): Promise<Refused> {
    const tls = await this.#tlsSettings(base);
    return { base, scopes, deadline, doing, ...(tls === undefined ? {} : { tls }) };
  }

  async #httpRequest(request: RegistryRequest, base: URL, authorization: string | undefined): Promise<HttpRequest> {
    const url = new URL(request.target, base);
    const tls = await this.#tlsSettings(base);
    // What the registry sent us to elsewhere is none of our credentials' business.
    const shown = authorization !== undefined && url.origin === base.origin ? { authorization } : {};
    return {
      method: request.method,
      url,
      headers: { 'user-agent': this.#options.userAgent ?? 'bulla', ...request.headers, ...shown },
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(request.repeatable === undefined ? {} : { repeatable: request.repeatable }),
      ...(tls === undefined ? {} : { tls }),
      home: base,
      deadline: request.deadline,
      ...(this.#options.signal === undefined ? {} : { signal: this.#options.signal }),
    };
  }

  /** A server that speaks TLS may answer a plain request with a 400 that says so in its body, which HEAD does not show. */
  async #checkSpeech(response: HttpResponse, method: string): Promise<void> {
    const { status, url, headers } = response;
    if (this.#scheme !== undefined || status !== 400 || url.protocol !== 'http:') return;
    if ((headers['content-type'] ?? '').includes('json') || 'docker-distribution-api-version' in headers) return;
    const text = new TextDecoder().decode(await readBody(response, 64 * 1024, 'the answer'));
    if (method === 'HEAD' || /HTTPS (?:server|port)|SSL-enabled/i.test(text)) {
      throw new WireError('protocol-violation', `${url.host} speaks TLS`);
    }
  }

  /** Undefined where the answer is no challenge of this registry's. */
  async #challenged(response: HttpResponse, http: HttpRequest): Promise<Challenged | undefined> {
    if (response.status !== 401 || response.url.origin !== http.home?.origin) return undefined;
    const { code, message } = await readRefusal(response);
    const said =
      message === undefined ? (code ?? 'it gives no reason') : `${code ?? ''} ${quoted(message, 200)}`.trim();
    return { challenge: response.headers['www-authenticate'], said };
  }

  /** Sends over the scheme that the registry is known to speak, or finds out with this very request. */
  async #overScheme<T>(attempt: Attempt<T>): Promise<Sent<T>> {
    if (this.#scheme !== undefined) return attempt(this.#base(this.#scheme), false);
    // On this machine http is the rule and nobody listens; elsewhere what can be secret stays secret.
    const isHere = hostKind(this.#base('http')) === 'loopback';
    const order: readonly Scheme[] = isHere ? ['http', 'https'] : ['https', 'http'];
    for (const scheme of order) {
      try {
        const sent = await attempt(this.#base(scheme), true);
        this.#scheme = scheme;
        return sent;
      } catch (error) {
        if (!(scheme === 'http' ? looksLikeTls(error) : looksPlain(error))) throw error;
      }
    }
    // Neither spoke: then the connection itself is bad, and the usual repetitions are due.
    const scheme = isHere ? 'http' : 'https';
    this.#scheme = scheme;
    return attempt(this.#base(scheme), false);
  }

  #base(scheme: Scheme): URL {
    return new URL(`${scheme}://${registryHost({ registry: this.#registry })}/`);
  }

  #mayBePlain(): boolean {
    const allowed = this.#options.plainHttp ?? 'localhost';
    if (allowed !== 'localhost') return allowed === 'always';
    return hostKind(this.#base('http')) === 'loopback';
  }

  async #tlsSettings(base: URL): Promise<TlsSettings | undefined> {
    const isAsked = Object.values(this.#options.tls ?? {}).some((setting) => setting !== undefined);
    if (base.protocol === 'http:' && !isAsked) return undefined;
    this.#tls ??= this.#readTls();
    return this.#tls;
  }

  async #readTls(): Promise<TlsSettings> {
    const { readTlsFiles } = await import('./tls-files.ts');
    const { tls, environment } = this.#options;
    return readTlsFiles(this.#registry, tls ?? {}, environment ?? process.env, (warning) => this.warn(warning));
  }

  #widened(scopes: readonly Scope[]): readonly Scope[] {
    if (this.#options.access !== 'write') return scopes;
    return scopes.map((scope, at) => (at === 0 ? { ...scope, actions: [...scope.actions, 'push'] } : scope));
  }

  /** @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#warnings */
  #relayWarnings(response: HttpResponse): void {
    const header = response.headers['warning'];
    if (header === undefined || header.length > 4096) return;
    for (const [, text] of header.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)) {
      this.warn(`${response.url.host} warns: ${quoted((text ?? '').replaceAll(/\\(.)/g, '$1'), 300)}`);
    }
  }
}

/** A TLS server resets plain requests or answers with bytes that are not HTTP. */
function looksLikeTls(error: unknown): boolean {
  return error instanceof WireError && (error.code === 'connection-reset' || error.code === 'protocol-violation');
}

/** A server without TLS refuses the handshake, or resets it; or nobody listens where TLS would be. */
function looksPlain(error: unknown): boolean {
  if (isNotTls(error)) return true;
  return error instanceof WireError && (error.code === 'connection-reset' || error.code === 'unreachable');
}

function transportOptions({ environment, lookup }: RemoteOptions): {
  environment?: NonNullable<typeof environment>;
  lookup?: NonNullable<typeof lookup>;
} {
  return { ...(environment === undefined ? {} : { environment }), ...(lookup === undefined ? {} : { lookup }) };
}
