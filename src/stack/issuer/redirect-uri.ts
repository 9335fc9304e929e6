// SPDX-License-Identifier: Apache-2.0

/** Where a client may be sent to. */
export interface RedirectUri {
  /** as it was registered, for a loopback address without the port */
  readonly text: string;
  /** any port fits */
  readonly loopback: boolean;
}

// Programs of people listen on a free port. `localhost` as well, because that is what cosign and gitsign say.
const LOOPBACK = /^(http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::(\d{1,5}))?((?:[/?].*)?)$/;
const PRINTABLE = /^[\x21-\x7e]{1,2048}$/;

/** Reads a redirect URI for a registration: https, or http to a loopback address; without user, password and fragment. Undefined for others. */
export function parseRedirectUri(text: string): RedirectUri | undefined {
  const url = PRINTABLE.test(text) ? URL.parse(text) : null;
  if (url === null || url.username !== '' || url.password !== '' || text.includes('#')) return undefined;
  if (url.protocol === 'https:') return { text, loopback: false };
  const loopback = LOOPBACK.exec(text);
  return loopback === null ? undefined : { text: `${loopback[1]}${pathOf(loopback[3])}`, loopback: true };
}

/**
 * Whether somebody may be sent there. Texts are compared, character by character, and never what a parser makes of them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8252#section-7.3
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
export function fitsRedirectUri(asked: string, registered: readonly RedirectUri[]): boolean {
  if (!PRINTABLE.test(asked) || !URL.canParse(asked)) return false;
  const loopback = LOOPBACK.exec(asked);
  const portless = loopback === null ? undefined : `${loopback[1]}${pathOf(loopback[3])}`;
  return registered.some((uri) => uri.text === (uri.loopback ? portless : asked));
}

function pathOf(rest = ''): string {
  return rest === '' ? '/' : rest;
}
