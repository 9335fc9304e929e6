// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterError } from './cluster-error.ts';

/** Which list. */
export interface ListCall {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const PAGE = 500;
const MAX_PAGES = 10_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

/**
 * Reads a list page by page, so that a large one is never in memory as a whole.
 *
 * @param item called for each object; those of one kind carry no `apiVersion` and `kind` of their own
 * @returns the version from which a watch goes on
 * @throws ClusterError; `gone` where the list took so long that its pages are no longer known: begin anew
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
 */
export async function listPages(api: ClusterApi, call: ListCall, item: (object: Json) => void): Promise<string> {
  const { path, query, signal } = call;
  let next = '';
  for (let page = 0; page < MAX_PAGES; page++) {
    const list = await api.call({
      method: 'GET',
      path,
      query: { ...query, limit: String(PAGE), ...(next === '' ? {} : { continue: next }) },
      maxBytes: MAX_PAGE_BYTES,
      ...(signal === undefined ? {} : { signal }),
    });
    for (const object of listOf(fieldOf(list, 'items'))) item(object);
    const metadata = fieldOf(list, 'metadata');
    next = textOf(metadata, 'continue') ?? '';
    if (next === '') return textOf(metadata, 'resourceVersion') ?? '';
  }
  throw new ClusterError('answer-unusable', `the list of ${path} has more than ${MAX_PAGES} pages`);
}
