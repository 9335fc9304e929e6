// SPDX-License-Identifier: Apache-2.0
import { addressBytes, addressKind } from '../http/address.ts';
import type { Service } from './call.ts';
import type { ServerTls, TlsMaterial } from './listen.ts';
import type { AnsweredRequest } from './listener.ts';

/** Caps on what clients may do; each has a default. */
export interface ServerLimits {
  /** connections at a time */
  readonly connections: number;
  /** milliseconds for the headers of a request */
  readonly headersMs: number;
  /** milliseconds without a byte in a body or an answer */
  readonly idleMs: number;
  /** milliseconds that `close` waits for requests under way */
  readonly closeMs: number;
}

/** What is served, and how. */
interface ServeCommon {
  readonly service: Service;
  readonly log?: ((request: AnsweredRequest) => void) | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
}

/** What is served where. */
export interface ServeOptions extends ServeCommon {
  readonly host: string;
  /** 0 picks a free one */
  readonly port: number;
  readonly tls?: ServerTls | undefined;
}

/** What is served to programs of this machine that may open a file. */
export interface ServeSocketOptions extends ServeCommon {
  /** path of a Unix socket; what is there is replaced, so that its directory must be this process's own */
  readonly socket: string;
}

/** A server that serves. */
export interface RunningServer {
  readonly address: { readonly host: string; readonly port: number };
  /**
   * Another certificate for connections that are opened from now on.
   *
   * On Bun a server must begin anew for it: a connection that is opened at that very moment may be reset.
   *
   * @throws WireError `tls-malformed`, and then the one before stays; `listen-failed` on Bun
   */
  renewTls(material: TlsMaterial): Promise<void>;
  /** Takes no more requests, finishes those under way. */
  close(): Promise<void>;
}

/** True for an address that only this machine reaches, and for localhost. Another name may be anything. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const address = addressBytes(host);
  if (address === undefined || addressKind(host) !== 'loopback') return false;
  // 0.0.0.0 and :: lead to this machine, and listening on them is listening on every address
  return address.length === 4 ? address[0] === 127 : address[15] !== 0;
}

/**
 * Serves HTTP, or HTTPS, with limits on idle connections, slow bodies and their number.
 *
 * @throws WireError `listen-failed`, `tls-malformed`
 * @example const server = await serve({ service: { answer: async () => json({}), fault }, host: '127.0.0.1', port: 0 });
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  // Loaded only now: clients share this room and need no server.
  const { startServer } = await import('./start-server.ts');
  return await startServer(options);
}

/**
 * Serves HTTP on a Unix socket that only its owner may open (0600).
 *
 * @throws WireError `listen-failed`
 * @example const server = await serveSocket({ service, socket: '/var/lib/bulla/admin.sock' });
 */
export async function serveSocket(options: ServeSocketOptions): Promise<Pick<RunningServer, 'close'>> {
  const { startSocketServer } = await import('./start-server.ts');
  return await startSocketServer(options);
}
