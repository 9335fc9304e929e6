// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, readBody, shownUrl, type Json } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { isTag } from '../reference.ts';
import { nextPage } from './link-header.ts';
import type { RegistryRequest } from './registry-connection.ts';
import { expectAbsent, type Session } from './session.ts';

const PAGE = 1000;

/**
 * All tags in lexical order. Registries need not keep that order over pages, so all pages are read first.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 * @throws RegistryError `too-large` where there are more than the caps allow
 */
export async function* listTags(session: Session): AsyncGenerator<string> {
  const { connection } = session;
  const { limits } = connection;
  const doing = `list the tags of ${session.name}`;
  const deadline = connection.deadline();
  const tags = new Set<string>();
  let target: string | URL | undefined = session.path(`tags/list?n=${PAGE}`);
  for (let pages = 0; target !== undefined; pages++) {
    if (pages >= limits.tagPages || tags.size > limits.tags) {
      throw new RegistryError(
        'too-large',
        `cannot ${doing}: it has more than ${limits.tags} tags or ${limits.tagPages} pages`,
      );
    }
    const request: RegistryRequest = { doing, method: 'GET', target, scopes: session.pull, deadline };
    target = await connection.exchange(request, async (response): Promise<URL | undefined> => {
      if (response.status !== 200) return expectAbsent(response, doing);
      const bytes = await readBody(response, limits.pageBytes, 'the page');
      for (const tag of decodeTags(bytes, doing, response.url)) tags.add(tag);
      return nextPage(response, doing);
    });
  }
  yield* [...tags].toSorted((a, b) => (a < b ? -1 : 1));
}

function decodeTags(bytes: Uint8Array, doing: string, url: URL): readonly string[] {
  const violation = (what: string): RegistryError =>
    new RegistryError('protocol-violation', `cannot ${doing}: ${shownUrl(url)} answers ${what}`, {
      url: shownUrl(url),
      status: 200,
    });
  let json: Json;
  try {
    json = parseJson(bytes, { what: 'the page', maxBytes: bytes.byteLength, maxDepth: 8 });
  } catch {
    throw violation('something that is not JSON');
  }
  const tags = isJsonObject(json) ? json['tags'] : undefined;
  if (tags === null) return []; // how Go writes an empty list
  if (!Array.isArray(tags)) throw violation('no list of tags');
  // What is no tag cannot be asked for.
  return tags.filter((tag): tag is string => typeof tag === 'string' && isTag(tag));
}
