// SPDX-License-Identifier: Apache-2.0
import { isRepositoryPath } from '../../oci/index.ts';
import { OciFault } from './oci-fault.ts';

/** What a path names. `target`, `digest` and `id` are as they were sent. */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly target: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string };

/** The API, read from the end of the path: components of a repository may be called `blobs` or `tags` too. */
const ROUTES: readonly [RegExp, (repository: string, last: string) => Route][] = [
  [/^\/v2\/(.+)\/manifests\/([^/]+)$/, (repository, target) => ({ kind: 'manifest', repository, target })],
  [/^\/v2\/(.+)\/blobs\/uploads\/?()$/, (repository) => ({ kind: 'uploads', repository })],
  [/^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/, (repository, id) => ({ kind: 'upload', repository, id })],
  [/^\/v2\/(.+)\/blobs\/([^/]+)$/, (repository, digest) => ({ kind: 'blob', repository, digest })],
  [/^\/v2\/(.+)\/tags\/list()$/, (repository) => ({ kind: 'tags', repository })],
  [/^\/v2\/(.+)\/referrers\/([^/]+)$/, (repository, digest) => ({ kind: 'referrers', repository, digest })],
];

/**
 * Reads a path.
 *
 * @param path without the query
 * @throws OciFault 400 `NAME_INVALID` where it would be a route but for the repository's name
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints
 */
export function parseRoute(path: string): Route | undefined {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  const decoded = decode(path);
  for (const [pattern, make] of ROUTES) {
    const [, repository, last] = pattern.exec(decoded) ?? [];
    if (repository === undefined || last === undefined) continue;
    if (isRepositoryPath(repository)) return make(repository, last);
    const shown = repository.length > 100 ? `${repository.slice(0, 100)}…` : repository;
    throw new OciFault(400, 'NAME_INVALID', `${JSON.stringify(shown)} is not the name of a repository`);
  }
  return undefined;
}

/** Some clients write the colon of a digest as %3A. */
function decode(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw new OciFault(400, 'NAME_INVALID', 'the path is not encoded as a URL is');
  }
}
