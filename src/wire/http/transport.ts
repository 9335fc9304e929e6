// SPDX-License-Identifier: Apache-2.0
import type { Lookup, Reach } from './address.ts';
import type { Environment } from './proxy.ts';

/** Header fields; names in lower case, fields of one name joined with `, `. */
export type HttpHeaders = Readonly<Record<string, string>>;

/** What a request carries. A stream may be opened again when the request has to be repeated. */
export type RequestBody = Uint8Array | StreamedBody;
export interface StreamedBody {
  /** bytes */
  readonly length: number;
  open(): AsyncIterable<Uint8Array>;
}

/** How a server is recognised, and how we show ourselves to it. Certificates and keys are PEM. Keep one object for one server. */
export interface TlsSettings {
  /** take these roots only */
  readonly ca?: readonly string[];
  /** take these roots besides the machine's */
  readonly extraCa?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  /** the name to ask for and to find in the certificate, where it is not the URL's host */
  readonly serverName?: string;
  /** take any certificate */
  readonly insecure?: boolean;
}

/** Limits of one attempt, in milliseconds. */
export interface Timeouts {
  /** until the connection (with TLS) stands */
  readonly connectMs: number;
  /** from the last byte sent to the header of the answer */
  readonly headersMs: number;
  /** between two chunks, sending or receiving */
  readonly idleMs: number;
}

/** One HTTP exchange. Header names in lower case; `host` is added. */
export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: HttpHeaders;
  readonly body?: RequestBody;
  readonly tls?: TlsSettings;
  /** which addresses the URL's host may be or resolve to; any where it is not given */
  readonly reach?: Reach;
  readonly signal: AbortSignal;
  readonly timeouts: Timeouts;
}

/** The answer, once its header is in. Read `body` to its end, or call `discard`. */
export interface TransportResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** who answered, where the transport knows it */
  readonly remoteAddress?: string;
  /** Fails with a WireError `connection-reset` where it ends early. Leaving the loop early ends the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Reads all of `body` in one go, in its stead, with the same failures. There only where the announced length is short, so that nothing
   * longer can come: without a stream's machinery, which takes a cold start milliseconds to get going.
   */
  readonly whole?: () => Promise<Uint8Array>;
  /** Reads a short rest, so that the connection can serve again, or ends the connection. */
  discard(): Promise<void>;
}

/**
 * Carries single requests: no redirects, no retries, no credentials. Failures are WireErrors `unreachable`, `connection-reset`,
 * `timeout`, `tls-failed`, `address-refused` or `protocol-violation`, or the reason of an aborted signal.
 */
export interface Transport {
  request(request: TransportRequest): Promise<TransportResponse>;
  /** Ends idle connections; they do not keep the process alive. */
  close(): void;
}

/** What a transport takes from its surroundings. */
export interface TransportOptions {
  /** for proxies and roots; the process's unless told */
  readonly environment?: Environment;
  readonly lookup?: Lookup;
}

/** Bytes of header that an answer may have. */
export const MAX_HEADER_BYTES: number = 64 * 1024;

/** The transport for the runtime we are on. What it needs loads with the first request. */
export async function openTransport(options: TransportOptions = {}): Promise<Transport> {
  if (process.versions['bun'] !== undefined) {
    const { FetchTransport } = await import('./fetch-transport.ts');
    return new FetchTransport(options);
  }
  const { NodeTransport } = await import('./node-transport.ts');
  return new NodeTransport(options);
}
