// SPDX-License-Identifier: Apache-2.0
import { MediaType } from '../../oci/index.ts';
import { json, type Reply } from '../../wire/index.ts';
import type { Listings, Page } from '../storage/listings.ts';
import { demandDigest } from './blobs.ts';
import type { Request } from './call.ts';
import { OciFault } from './oci-fault.ts';

const NAMES_A_PAGE = 10_000;
const REFERRERS_A_PAGE = 1000;

/** GET of the tags, in lexical order. */
export async function listTags(listings: Listings, request: Request, repository: string): Promise<Reply> {
  const page = pageOf(request, NAMES_A_PAGE);
  if (!(await listings.exists(repository))) {
    throw new OciFault(404, 'NAME_UNKNOWN', `there is no repository ${repository}`);
  }
  const { entries, next } = await listings.tags(repository, page);
  return json({ name: repository, tags: entries }, link(request, page, next));
}

/** GET of the repositories, in lexical order. */
export async function listRepositories(listings: Listings, request: Request): Promise<Reply> {
  const page = pageOf(request, NAMES_A_PAGE);
  const { entries, next } = await listings.repositories(page);
  return json({ repositories: entries }, link(request, page, next));
}

/**
 * GET of what has a digest as its subject: an index, empty where there is nothing.
 *
 * Every manifest is indexed by its subject when it is pushed, so what an older client listed under the fallback tag only is here too.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function listReferrers(
  listings: Listings,
  request: Request,
  repository: string,
  name: string,
): Promise<Reply> {
  const subject = demandDigest(name);
  const page = pageOf(request, REFERRERS_A_PAGE);
  const artifactType = request.query.get('artifactType') ?? '';
  const filter = artifactType === '' ? undefined : artifactType;
  const { entries, next } = await listings.referrers(repository, subject, page, filter);
  const manifests = entries.map((entry) => entry.json).join(',');
  return {
    status: 200,
    headers: {
      'content-type': MediaType.imageIndex,
      ...(filter === undefined ? {} : { 'oci-filters-applied': 'artifactType' }),
      ...link(request, page, next),
    },
    body: `{"schemaVersion":2,"mediaType":"${MediaType.imageIndex}","manifests":[${manifests}]}`,
  };
}

function pageOf(request: Request, most: number): Page {
  const n = request.query.get('n');
  if (n !== null && !/^\d{1,9}$/.test(n)) {
    throw new OciFault(400, 'PAGINATION_NUMBER_INVALID', `n is ${JSON.stringify(n.slice(0, 20))}, expected a number`);
  }
  return { limit: Math.min(n === null ? most : Number(n), most), last: request.query.get('last') ?? undefined };
}

/** @see https://www.rfc-editor.org/rfc/rfc8288 */
function link(request: Request, page: Page, next: string | undefined): Record<string, string> {
  if (next === undefined) return {};
  const [path = ''] = request.target.split('?', 1);
  const query = new URLSearchParams(request.query);
  query.set('last', next);
  query.set('n', `${page.limit}`);
  return { link: `<${path}?${query.toString()}>; rel="next"` };
}
