// SPDX-License-Identifier: Apache-2.0
import type { Clock, Environment, Lookup, RetryPolicy, Timeouts, Transport } from '../../wire/index.ts';
import type { CredentialsProvider } from '../credentials/credentials.ts';

/** How a remote repository is reached. Everything has a default that is safe. */
export interface RemoteOptions {
  /** asked when the registry asks; unless told, what docker and podman would use. `anonymous` never looks for any. */
  readonly credentials?: CredentialsProvider | 'anonymous';
  /** `write` asks for a token that may write at once, which saves a request; `read` unless told */
  readonly access?: 'read' | 'write';
  /**
   * Which registries may be spoken to without TLS: those on this machine unless told (`localhost`). Which of both one speaks turns out
   * with the first request: on this machine http is tried first, elsewhere https.
   */
  readonly plainHttp?: 'never' | 'localhost' | 'always';
  readonly tls?: RemoteTls;
  /** how blobs are sent; in one piece unless told, and in chunks where the registry refuses that */
  readonly upload?: 'monolithic' | 'chunked';
  readonly limits?: Partial<RemoteLimits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly retry?: Partial<RetryPolicy>;
  readonly userAgent?: string;
  /** ends everything that is under way */
  readonly signal?: AbortSignal;
  /** told what a person should know and what stops nothing, one line each */
  readonly onWarning?: (warning: string) => void;
  /** where proxies, roots and credentials are looked up; the process's unless told */
  readonly environment?: Environment;
  /** for tests and for sharing connections */
  readonly transport?: Transport;
  readonly clock?: Clock;
  /** from 0 up to 1 */
  readonly random?: () => number;
  readonly lookup?: Lookup;
}

/** Files are PEM, read with the first request over TLS. What is given here stands in the place of docker's `certs.d`. */
export interface RemoteTls {
  /** take any certificate */
  readonly insecure?: boolean;
  /** the only roots to trust */
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  /** the name to expect in the registry's certificate, where it is not its host */
  readonly serverName?: string;
  /** directories with one per registry: `<host[:port]>/*.crt`, `*.cert`, `*.key`; docker's and podman's unless told */
  readonly certsDirectories?: readonly string[];
}

/** What is read, waited for and tried at most. Sizes in bytes, times in milliseconds. */
export interface RemoteLimits {
  readonly manifestBytes: number;
  /** one page of a listing */
  readonly pageBytes: number;
  /** all pages of one listing of referrers */
  readonly referrersBytes: number;
  readonly referrersPages: number;
  readonly referrers: number;
  readonly tagPages: number;
  readonly tags: number;
  readonly tokenBytes: number;
  /** what is kept of manifests and blobs that were read */
  readonly cacheBytes: number;
  /** one operation, with all requests that it takes */
  readonly deadlineMs: number;
  /** transfers of unknown or great length may take longer, as long as they are faster than this (bytes a second) */
  readonly slowestTransfer: number;
  /** blobs up to this size are sent with the request that starts an upload */
  readonly smallBlobBytes: number;
  readonly chunkBytes: number;
  /** how often a fallback tag is read, changed and written for one entry */
  readonly fallbackAttempts: number;
}

export const DEFAULT_LIMITS: RemoteLimits = {
  manifestBytes: 4 * 1024 * 1024,
  pageBytes: 4 * 1024 * 1024,
  referrersBytes: 16 * 1024 * 1024,
  referrersPages: 100,
  referrers: 10_000,
  tagPages: 1000,
  tags: 100_000,
  tokenBytes: 64 * 1024,
  cacheBytes: 64 * 1024 * 1024,
  deadlineMs: 120_000,
  slowestTransfer: 32 * 1024,
  smallBlobBytes: 64 * 1024,
  chunkBytes: 8 * 1024 * 1024,
  fallbackAttempts: 40,
};
