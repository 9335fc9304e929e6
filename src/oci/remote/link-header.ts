// SPDX-License-Identifier: Apache-2.0
import { shownUrl, type HttpResponse } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';

const LINK = /<([^<>]*)>((?:\s*;\s*[a-z*]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)/gi;
const NEXT = /;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i;

/**
 * The next page of a listing, or undefined at its end. A page lies with the registry that is asked: credentials go with the request.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags
 * @see https://www.rfc-editor.org/rfc/rfc8288#section-3
 * @throws RegistryError `protocol-violation` where it lies elsewhere
 */
export function nextPage(response: HttpResponse, doing: string): URL | undefined {
  const { asked } = response;
  const header = response.headers['link'];
  if (header === undefined) return undefined;
  if (header.length > 16_384) throw violation(response, doing, 'its Link header is too long');
  for (const [, target = '', parameters = ''] of header.matchAll(LINK)) {
    if (!NEXT.test(parameters)) continue;
    if (!URL.canParse(target, asked)) throw violation(response, doing, 'its Link header names no URL');
    const next = upgraded(new URL(target, asked), asked);
    if (next.origin !== asked.origin) throw violation(response, doing, `its next page is elsewhere (${next.origin})`);
    return next;
  }
  return undefined;
}

/** Registries behind a proxy that ends TLS name themselves with http: for the same host, https is meant. */
export function upgraded(url: URL, base: URL): URL {
  if (base.protocol !== 'https:' || url.protocol !== 'http:' || url.host !== base.host) return url;
  const secure = new URL(url);
  secure.protocol = 'https:';
  return secure;
}

function violation(response: HttpResponse, doing: string, what: string): RegistryError {
  return new RegistryError('protocol-violation', `cannot ${doing}: ${response.url.host}: ${what}`, {
    url: shownUrl(response.url),
    status: response.status,
  });
}
