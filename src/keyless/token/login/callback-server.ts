// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import { hostKind, isLoopback, serve, type Call, type Reply, type RunningServer } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import type { LoginSurroundings } from './login-settings.ts';

const USUAL = 'http://localhost:0/auth/callback';
const MAX_TARGET = 16 * 1024;

/**
 * Where the browser shall bring the answer.
 *
 * @throws KeylessError `setting-malformed` for what is not on this machine: the answer would go to somebody else
 */
export function parseRedirectUrl(text: string = USUAL): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const bare = url !== undefined && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (bare && url.protocol === 'http:' && hostKind(url) === 'loopback') return url;
  throw new KeylessError(
    'setting-malformed',
    `the redirect URL is '${printable(text)}' (expected http://localhost:PORT/PATH, without a query)`,
  );
}

/**
 * Serves the redirect URL until the browser brings the answer to our question, known by its `state`. Other visitors are sent away, and
 * do not end the login.
 *
 * @param ready called with the URL, its port included, once it is served
 * @returns the URL that the browser came with
 * @throws KeylessError `login-timeout`, `setting-malformed` where the port is taken
 */
export async function awaitCallback(
  wanted: URL,
  state: string,
  { client, deadline, signal }: LoginSurroundings,
  ready: (redirectUrl: URL) => void,
): Promise<URL> {
  signal?.throwIfAborted();
  const redirectUrl = new URL(wanted);
  let answered: ((url: URL) => void) | undefined;
  const answer = new Promise<URL>((resolve) => (answered = resolve));
  const take = (call: Call): Promise<Reply> =>
    Promise.resolve(answerVisitor(call, redirectUrl, state, (url) => answered?.(url)));
  const servers = await listen(redirectUrl, take);
  const waiting = new AbortController();
  const giveUp = (): void => waiting.abort(signal?.reason);
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    ready(redirectUrl);
    const late = client.clock.sleep(Math.max(0, deadline - client.clock.now()), waiting.signal).then(() => {
      throw new KeylessError(
        'login-timeout',
        `nobody finished the login in the browser in time (at ${redirectUrl.host})`,
      );
    });
    return await Promise.race([answer, late]);
  } finally {
    signal?.removeEventListener('abort', giveUp);
    waiting.abort(new KeylessError('login-timeout', 'the login has ended'));
    await Promise.all(servers.map((server) => server.close()));
  }
}

/** Takes the port on 127.0.0.1 and, where it can be had, on ::1: `localhost` may be either, and nobody else shall be the other. */
async function listen(redirectUrl: URL, answer: (call: Call) => Promise<Reply>): Promise<readonly RunningServer[]> {
  const service = { answer, fault: (): Reply => page(500, 'Something went wrong. Go back to the terminal.') };
  const named = redirectUrl.hostname.replace(/^\[|\]$/g, '');
  const host = isLoopback(named) && named !== 'localhost' ? named : '127.0.0.1';
  const limits = { connections: 32, headersMs: 10_000, idleMs: 10_000, closeMs: 500 };
  let first: RunningServer;
  try {
    first = await serve({ service, host, port: Number(redirectUrl.port || 80), limits });
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown reason';
    throw new KeylessError('setting-malformed', `the redirect URL ${redirectUrl.href} cannot be served: ${why}`, {
      cause: error,
    });
  }
  redirectUrl.port = String(first.address.port);
  if (named !== 'localhost') return [first];
  const other = serve({ service, host: '::1', port: first.address.port, limits });
  return await other.then(
    (second) => [first, second],
    () => [first], // no IPv6 here, or the port is taken there
  );
}

function answerVisitor(call: Call, redirectUrl: URL, state: string, answered: (url: URL) => void): Reply {
  const known = call.target.length <= MAX_TARGET && URL.canParse(call.target, redirectUrl);
  const url = known ? new URL(call.target, redirectUrl) : undefined;
  if (url === undefined || url.origin !== redirectUrl.origin || url.pathname !== redirectUrl.pathname) {
    return page(404, 'There is nothing here.');
  }
  if (call.method !== 'GET') return page(405, 'This address is visited, not written to.');
  const states = url.searchParams.getAll('state');
  if (states.length !== 1 || states[0] !== state) {
    return page(400, 'This is not the answer to the login that is waiting here. Start again at the terminal.');
  }
  answered(url);
  return url.searchParams.has('error')
    ? page(200, 'The login was refused. Go back to the terminal.')
    : page(200, 'The login has arrived. Close this page and go back to the terminal.');
}

function page(status: number, text: string): Reply {
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer', // the address has the code in it
      'x-content-type-options': 'nosniff',
      connection: 'close',
    },
    body: `<!doctype html><meta charset="utf-8"><title>Bulla</title><p>${text}</p>\n`,
  };
}
