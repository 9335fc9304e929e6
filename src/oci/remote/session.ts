// SPDX-License-Identifier: Apache-2.0
import type { HttpResponse } from '../../wire/index.ts';
import { isDigest, type Digest } from '../digest.ts';
import { parseTag } from '../reference.ts';
import type { StoredManifest } from '../repository.ts';
import type { Scope } from './authorizer.ts';
import { ContentCache } from './content-cache.ts';
import { isAbsence, readRefusal, refused } from './registry-answer.ts';
import type { RegistryConnection } from './registry-connection.ts';

/** What the operations on one repository share, and what they have learnt about it. */
export class Session {
  readonly connection: RegistryConnection;
  /** `registry/repository`, for people */
  readonly name: string;
  readonly repository: string;
  readonly chunked: boolean;
  readonly manifests: ContentCache<StoredManifest>;
  readonly blobs: ContentCache<{ readonly bytes: Uint8Array }>;
  /** blobs that are there, by an answer of the registry's */
  readonly present: Set<Digest> = new Set();
  /** whether the registry has a referrers API; undefined until it was asked */
  hasReferrersApi: boolean | undefined;
  /** whether a blob can be sent with the request that starts its upload; undefined until it was tried */
  takesSinglePost: boolean | undefined;
  /** true once the registry has shown that it honours If-Match on manifests */
  honoursConditions = false;

  constructor(connection: RegistryConnection, registry: string, repository: string, chunked: boolean) {
    this.connection = connection;
    this.name = `${registry}/${repository}`;
    this.repository = repository;
    this.chunked = chunked;
    this.manifests = new ContentCache(connection.limits.cacheBytes / 2);
    this.blobs = new ContentCache(connection.limits.cacheBytes / 2);
  }

  get pull(): readonly Scope[] {
    return [{ repository: this.repository, actions: ['pull'] }];
  }

  get push(): readonly Scope[] {
    return [{ repository: this.repository, actions: ['pull', 'push'] }];
  }

  /** A path of this repository's API. */
  path(rest: string): string {
    return `/v2/${this.repository}/${rest}`;
  }

  /** @throws ReferenceFault `tag-malformed` */
  manifestPath(target: string): string {
    return this.path(`manifests/${isDigest(target) ? target : parseTag(target)}`);
  }

  /** The target as people write it. */
  shown(target: string): string {
    return `${this.name}${isDigest(target) ? '@' : ':'}${target}`;
  }
}

/**
 * For a read that was not answered with what was asked for: returns where that means that it is not there.
 * @throws RegistryError where it means something else
 */
export async function expectAbsent(response: HttpResponse, doing: string): Promise<undefined> {
  const refusal = await readRefusal(response);
  if (!isAbsence(response.status, refusal)) throw refused(response, refusal, doing);
}

/** The media type alone, in lower case: no parameters. */
export function mediaTypeOf(response: HttpResponse): string {
  return (response.headers['content-type'] ?? '').replace(/;.*$/s, '').trim().toLowerCase();
}
