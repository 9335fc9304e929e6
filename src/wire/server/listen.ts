// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Server, ServerOptions } from 'node:http';
import { WireError } from '../wire-error.ts';
import type { Listener } from './listener.ts';

/** PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** A certificate with its chain, and its private key: PEM itself, for one that changes while it serves. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

/** With what a server speaks TLS. */
export type ServerTls = TlsFiles | { readonly material: TlsMaterial };

/** Where to listen, and how long for what. */
export interface ListenOptions {
  /** an address, where port 0 picks a free one; or the path of a Unix socket */
  readonly place: { readonly host: string; readonly port: number } | { readonly socket: string };
  readonly tls?: ServerTls | undefined;
  readonly idleMs: number;
  readonly headersMs: number;
  readonly connections: number;
}

/**
 * Starts a server.
 *
 * @throws WireError `listen-failed`, `tls-malformed`
 */
export async function listen(listener: Listener, options: ListenOptions): Promise<Server> {
  const server = await makeServer(options);
  server.on('request', listener.onRequest);
  server.on('checkContinue', listener.onCheckContinue);
  server.on('timeout', listener.onTimeout);
  server.maxConnections = options.connections;
  server.timeout = options.idleMs;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  const { place } = options;
  if ('socket' in place) server.listen(place.socket, resolve);
  else server.listen(place.port, place.host, resolve);
  try {
    await promise;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const where = 'socket' in place ? place.socket : `${place.host}:${place.port}`;
    throw new WireError('listen-failed', `cannot listen on ${where}: ${reason}`, { cause });
  }
  return server;
}

async function makeServer(options: ListenOptions): Promise<Server> {
  const settings: ServerOptions = {
    headersTimeout: options.headersMs,
    connectionsCheckingInterval: Math.min(options.headersMs, 5000),
    // A blob may take as long as it takes; the listener watches over bodies.
    requestTimeout: 0,
    keepAliveTimeout: options.idleMs,
    noDelay: true,
    highWaterMark: 1024 * 1024,
  };
  if (options.tls === undefined) return process.getBuiltinModule('node:http').createServer(settings);
  return process.getBuiltinModule('node:https').createServer({ ...settings, ...(await secureContext(options.tls)) });
}

const LEAST = { minVersion: 'TLSv1.2' } as const;
type SecureContext = TlsMaterial & typeof LEAST;

async function secureContext(tls: ServerTls): Promise<SecureContext> {
  if ('material' in tls) return checkTls(tls.material, 'the certificate', 'its key');
  let read: TlsMaterial;
  try {
    read = { cert: await readFile(tls.cert, 'utf8'), key: await readFile(tls.key, 'utf8') };
  } catch (cause) {
    throw unusable(tls.cert, tls.key, cause);
  }
  return checkTls(read, tls.cert, tls.key);
}

/**
 * From now on new connections get this certificate; those that are open keep theirs.
 *
 * @returns false where a server must begin anew for that, as on Bun
 * @throws WireError `tls-malformed`, and then the one before stays
 */
export function renewTls(server: Server, material: TlsMaterial): boolean {
  const context = checkTls(material, 'the certificate', 'its key');
  if (!('setSecureContext' in server) || typeof server.setSecureContext !== 'function') return false;
  server.setSecureContext(context);
  return true;
}

function checkTls({ cert, key }: TlsMaterial, named: string, keyNamed: string): SecureContext {
  let matches: boolean;
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw unusable(named, keyNamed, cause);
  }
  if (matches) return { cert, key, ...LEAST };
  throw unusable(named, keyNamed, new TypeError('the key is not that of the certificate'));
}

function unusable(cert: string, key: string, cause: unknown): WireError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WireError('tls-malformed', `cannot use ${cert} with ${key}: ${reason}`, { cause });
}
