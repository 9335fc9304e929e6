// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import type { HttpHeaders, TransportResponse } from './transport.ts';

const STATUSES = new Set([301, 302, 303, 307, 308]);

/** Whether an answer sends us elsewhere. */
export function isRedirect(status: number): boolean {
  return STATUSES.has(status);
}

/** A URL for messages: no user, password or query. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname.length > 200 ? `${url.pathname.slice(0, 200)}…` : url.pathname}`;
}

/**
 * Where a redirect leads.
 * @throws WireError `protocol-violation`, `redirect-refused`
 */
export function redirectTarget(method: string, response: TransportResponse, from: URL): URL {
  const location = response.headers['location'];
  if (location === undefined || !URL.canParse(location, from)) {
    throw new WireError(
      'protocol-violation',
      `${shownUrl(from)} redirects (${response.status}) without saying where to`,
    );
  }
  const next = new URL(location, from);
  if (next.protocol !== 'https:' && next.protocol !== 'http:') {
    throw new WireError('redirect-refused', `${shownUrl(from)} redirects to scheme '${next.protocol}'`);
  }
  const keepsMethod = response.status === 307 || response.status === 308 || method === 'GET' || method === 'HEAD';
  if (!keepsMethod) {
    // By custom these turn into a GET, which would lose what was to be written.
    throw new WireError(
      'redirect-refused',
      `${shownUrl(from)} answers a ${method} with a redirect (${response.status}) to ${shownUrl(next)}`,
    );
  }
  next.username = '';
  next.password = '';
  next.hash = '';
  return next;
}

/** What may be sent to another origin. */
export function withoutSecrets(headers: HttpHeaders): HttpHeaders {
  const { authorization: _authorization, cookie: _cookie, ...rest } = headers;
  return rest;
}
