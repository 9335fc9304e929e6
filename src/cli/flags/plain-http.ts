// SPDX-License-Identifier: Apache-2.0
import { hostKind, shownUrl } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';

/**
 * Warns where a certificate is asked for without TLS, beyond this machine. It is not refused, since cosign allows it; issuers and servers
 * that hand out identity tokens are.
 */
export function warnOfPlainHttp(context: Pick<CommandContext, 'warn'>, authority: string): void {
  const url = URL.parse(authority);
  if (url?.protocol !== 'http:' || hostKind(url) === 'loopback') return;
  context.warn(
    `${shownUrl(url)} is asked for a certificate over plain http: whoever is on the way can read the identity token, and seal in your name until it expires`,
  );
}
