// SPDX-License-Identifier: Apache-2.0
import type { Server } from 'node:http';
import { join } from 'node:path';
import { DirectoryObjectStore, openDataDirectory, SqliteDatabase } from '../store/index.ts';
import { openAccess, type Access } from './auth/access.ts';
import { openHtpasswd } from './auth/htpasswd-file.ts';
import { NodeListener, type AnsweredRequest } from './http/node-listener.ts';
import { RegistryApi } from './http/registry-api.ts';
import { isLoopback, listen, type TlsFiles } from './listen.ts';
import { TagRules } from './rules/tag-rules.ts';
import { RegistryServeError } from './serve-error.ts';
import { RegistryStorage } from './storage/registry-storage.ts';
import type { StoredRepository } from './storage/stored-repository.ts';
import { Uploads } from './storage/uploads.ts';

/** Caps on what clients may do; each has a default. */
export interface RegistryLimits {
  /** connections at a time */
  readonly connections: number;
  /** uploads at a time */
  readonly uploads: number;
  /** milliseconds after which an upload is given up to which nothing happens */
  readonly uploadIdleMs: number;
  /** bytes of a blob */
  readonly blobBytes: number;
  /** milliseconds for the headers of a request */
  readonly headersMs: number;
  /** milliseconds without a byte in a body or an answer */
  readonly idleMs: number;
  /** milliseconds that `close` waits for requests under way */
  readonly closeMs: number;
}

const LIMITS: RegistryLimits = {
  connections: 2048,
  uploads: 512,
  uploadIdleMs: 60 * 60 * 1000,
  blobBytes: 256 * 1024 ** 3,
  headersMs: 15_000,
  idleMs: 60_000,
  closeMs: 10_000,
};
const SWEEP_MS = 60_000;

/** How a registry is served. */
export interface ServeRegistryOptions {
  /** the data directory; made if it is missing, owned by this process alone */
  readonly data: string;
  /** `127.0.0.1` unless told */
  readonly host?: string | undefined;
  /** 5000 unless told; 0 picks a free one */
  readonly port?: number | undefined;
  /** `REPOSITORY-GLOB:TAG-GLOB` of tags that are written once */
  readonly writeOnce?: readonly string[] | undefined;
  /** globs of tags that no rule protects */
  readonly mutable?: readonly string[] | undefined;
  readonly tls?: TlsFiles | undefined;
  /** path of an htpasswd file (bcrypt) */
  readonly htpasswd?: string | undefined;
  /** the URL under which clients reach the registry, where that is another than it listens on */
  readonly url?: string | undefined;
  /** listen on any address without TLS or without users; each start warns */
  readonly insecureListen?: boolean | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly log?: ((request: AnsweredRequest) => void) | undefined;
  readonly limits?: Partial<RegistryLimits> | undefined;
}

/** A registry that serves. */
export interface RunningRegistry {
  /** `http://host:port` or `options.url`, without a slash at the end */
  readonly url: string;
  readonly address: { readonly host: string; readonly port: number };
  /** A repository of it, without HTTP in between. @param path its name without the registry's, for example `team/app` */
  repository(path: string): StoredRepository;
  /** Takes no more requests, finishes those under way, closes what it opened. */
  close(): Promise<void>;
}

/**
 * Serves an OCI registry (distribution-spec 1.1) from a data directory.
 *
 * What it has answered with 2xx is on the disk. Without both TLS and users it listens on loopback addresses only, unless
 * `insecureListen`.
 *
 * @throws RegistryServeError see its codes; StoreError `in-use` where another process owns the data directory
 * @example
 * const registry = await serveRegistry({ data: './data', port: 0, writeOnce: ['**:v*'] });
 * console.log(registry.url);
 * await registry.close();
 */
export async function serveRegistry(options: ServeRegistryOptions): Promise<RunningRegistry> {
  const limits = { ...LIMITS, ...options.limits };
  const host = options.host ?? '127.0.0.1';
  const onWarning = options.onWarning ?? (() => {});
  const rules = new TagRules(options.writeOnce, options.mutable);
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  demandSecure(host, options, onWarning);
  const access: Access =
    options.htpasswd === undefined ? openAccess : await openHtpasswd(options.htpasswd, Date.now, onWarning);
  await using opened = new AsyncDisposableStack();
  const directory = await openDataDirectory(options.data);
  opened.defer(() => directory.release());
  const database = await SqliteDatabase.open(join(directory.path, 'registry.db'));
  opened.defer(() => database.close());
  const objects = await DirectoryObjectStore.open(directory.path);
  opened.defer(() => objects.close());
  let served = url;
  const storage = await RegistryStorage.open(database, objects, rules, () => served?.host ?? '');
  const uploads = new Uploads(
    storage.blobs,
    { count: limits.uploads, idleMs: limits.uploadIdleMs, bytes: limits.blobBytes },
    Date.now,
  );
  opened.defer(() => uploads.close());
  const sweeping = setInterval(() => void uploads.sweep().catch(reportSweep(onWarning)), SWEEP_MS).unref();
  opened.defer(() => clearInterval(sweeping));
  const api = new RegistryApi(storage, uploads, access);
  const traffic = { idleMs: limits.idleMs, graceMs: 30_000, bytesPerSecond: 1024, drainBytes: 16 * 1024 * 1024 };
  const listener = new NodeListener((call) => api.answer(call), traffic, options.log ?? (() => {}));
  const server = await listen(listener, {
    host,
    port: options.port ?? 5000,
    tls: options.tls,
    idleMs: limits.idleMs,
    headersMs: limits.headersMs,
    connections: limits.connections,
  });
  opened.defer(() => stop(server, listener, limits.closeMs));
  const port = portOf(server);
  served ??= new URL(
    `${options.tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
  );
  const running = opened.move();
  return {
    url: served.href.replace(/\/$/, ''),
    address: { host, port },
    repository: (path) => storage.repository(path),
    close: () => running.disposeAsync(),
  };
}

function demandSecure(host: string, options: ServeRegistryOptions, onWarning: (message: string) => void): void {
  if (isLoopback(host) || (options.tls !== undefined && options.htpasswd !== undefined)) return;
  const lacks = [
    ...(options.tls === undefined ? ['TLS (--tls-cert, --tls-key)'] : []),
    ...(options.htpasswd === undefined ? ['users (--htpasswd)'] : []),
  ].join(' and ');
  if (options.insecureListen === true) {
    onWarning(`the registry listens on ${host} without ${lacks}: whoever reaches it can read and write`);
    return;
  }
  throw new RegistryServeError(
    'listen-refused',
    `refusing to listen on ${host} without ${lacks}: only loopback addresses are open then, unless --insecure-listen`,
  );
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === '') {
    if (url.username === '' && url.password === '') return url;
  }
  throw new RegistryServeError('url-malformed', 'the URL of a registry is of the form http[s]://HOST[:PORT]');
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new RegistryServeError('listen-failed', 'the server has no address');
  }
  return address.port;
}

function reportSweep(onWarning: (message: string) => void): (cause: unknown) => void {
  return (cause) => onWarning(`sweeping abandoned uploads: ${cause instanceof Error ? cause.message : String(cause)}`);
}

/** Lets requests under way end for a while, then ends them, and connections that ask nothing. */
async function stop(server: Server, listener: NodeListener, waitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const hurry = setTimeout(resolve, waitMs);
  await Promise.race([listener.close(), late]);
  clearTimeout(hurry);
  server.closeAllConnections();
  await closed;
}
