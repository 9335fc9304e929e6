// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import { hostKind } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';

/**
 * Reads the URL of a server that is sent a secret: https, or http on this machine.
 *
 * @param setting where the text stands, for errors
 * @throws KeylessError `setting-malformed`
 */
export function parseTokenServerUrl(text: string, setting: string): URL {
  const fail = (problem: string): KeylessError => new KeylessError('setting-malformed', `${setting} ${problem}`);
  const url = text.length <= 4096 && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw fail('is not a URL');
  if (url.username !== '' || url.password !== '') throw fail('is a URL with a user or password in it');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && hostKind(url) === 'loopback')) {
    throw fail(
      `is a URL of scheme '${printable(url.protocol)}' at ${printable(url.host)} (expected https:, which http: stands for on this machine only)`,
    );
  }
  url.hash = '';
  return url;
}

/** What a header can carry after its scheme. @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
const CREDENTIAL = /^[\x21-\x7e]{1,16384}$/;

/**
 * A secret that goes into a header.
 * @throws KeylessError `setting-malformed`
 */
export function checkCredential(secret: string, setting: string): string {
  if (CREDENTIAL.test(secret)) return secret;
  throw new KeylessError('setting-malformed', `${setting} holds what no header can carry`);
}
