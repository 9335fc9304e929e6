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

/** Where to listen, and how long for what. */
export interface ListenOptions {
  /** an address, where port 0 picks a free one; or the path of a Unix socket */
  readonly place: { readonly host: string; readonly port: number } | { readonly socket: string };
  readonly tls?: TlsFiles | undefined;
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
  const secured = { ...settings, ...(await readTls(options.tls)), minVersion: 'TLSv1.2' as const };
  return process.getBuiltinModule('node:https').createServer(secured);
}

async function readTls({ cert, key }: TlsFiles): Promise<{ readonly cert: Buffer; readonly key: Buffer }> {
  const refuse = (cause: unknown, reason: string): WireError =>
    new WireError('tls-malformed', `cannot use ${cert} with ${key}: ${reason}`, { cause });
  let matches: boolean;
  let read: { readonly cert: Buffer; readonly key: Buffer };
  try {
    read = { cert: await readFile(cert), key: await readFile(key) };
    matches = new X509Certificate(read.cert).checkPrivateKey(createPrivateKey(read.key));
  } catch (cause) {
    throw refuse(cause, cause instanceof Error ? cause.message : String(cause));
  }
  if (!matches) throw refuse(undefined, 'the key is not that of the certificate');
  return read;
}
