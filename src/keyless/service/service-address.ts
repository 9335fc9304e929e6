// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';

/**
 * The address of a service as a person or a signing config gives it.
 *
 * @param what names the setting in errors
 * @throws KeylessError `setting-malformed`
 */
export function parseServiceAddress(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.hostname === '')
    throw malformed(what, `'${printable(text)}', expected a URL of http or https`);
  // A message shows addresses, and every log has them.
  if (url.username !== '' || url.password !== '') throw malformed(what, 'a URL with a user or password, expected none');
  url.hash = '';
  return url;
}

/** A path below the address of a service, which may have one of its own. The query, if any, is kept. */
export function below(base: URL, path: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}

function malformed(what: string, found: string): KeylessError {
  return new KeylessError('setting-malformed', `${what} is ${found}`);
}
