// SPDX-License-Identifier: Apache-2.0
import { serve, type AnsweredRequest, type ServerLimits, type TlsFiles } from '../wire/index.ts';
import { openRegistry, type OpenRegistryOptions, type UploadCaps } from './open.ts';
import { demandProtection } from './protection.ts';
import { RegistryServeError } from './serve-error.ts';
import type { StoredRepository } from './storage/stored-repository.ts';

/** Caps on what clients may do; each has a default. */
export interface RegistryLimits extends ServerLimits, UploadCaps {}

/** How a registry is served. */
export interface ServeRegistryOptions extends Omit<OpenRegistryOptions, 'caps'> {
  /** `127.0.0.1` unless told */
  readonly host?: string | undefined;
  /** 5000 unless told; 0 picks a free one */
  readonly port?: number | undefined;
  readonly tls?: TlsFiles | undefined;
  /** the URL under which clients reach the registry, where that is another than it listens on */
  readonly url?: string | undefined;
  /** listen on any address without TLS or without users; each start warns */
  readonly insecureListen?: boolean | undefined;
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
  const { host = '127.0.0.1', port = 5000, tls, log, limits } = options;
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  demandProtection('the registry', { ...options, host });
  await using opened = new AsyncDisposableStack();
  const registry = await openRegistry({ ...options, caps: limits });
  opened.defer(() => registry.close());
  const server = await serve({ service: registry.service, host, port, tls, log, limits });
  opened.defer(() => server.close());
  const scheme = tls === undefined ? 'http' : 'https';
  const served = url ?? new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${server.address.port}`);
  registry.reachedAt(served.host);
  const running = opened.move();
  return {
    url: served.href.replace(/\/$/, ''),
    address: server.address,
    repository: (path) => registry.repository(path),
    close: () => running.disposeAsync(),
  };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.hash === '') {
    if (url.username === '' && url.password === '') return url;
  }
  throw new RegistryServeError('url-malformed', 'the URL of a registry is of the form http[s]://HOST[:PORT]');
}
