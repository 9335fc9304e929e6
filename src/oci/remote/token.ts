// SPDX-License-Identifier: Apache-2.0
import {
  isJsonObject,
  parseJson,
  readBody,
  shownUrl,
  WireError,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  type TlsSettings,
} from '../../wire/index.ts';
import type { Credentials } from '../credentials/credentials.ts';
import { RegistryError } from '../error.ts';
import { failedOnTheWay, readRefusal, refused } from './registry-answer.ts';

/** What a token is asked for. */
export interface TokenRequest {
  readonly realm: URL;
  readonly service?: string;
  /** `repository:<name>:<actions>` each */
  readonly scopes: readonly string[];
  readonly credentials?: Credentials;
  readonly userAgent: string;
  /** the registry that named the realm */
  readonly home: URL;
  readonly tls?: TlsSettings;
  readonly deadline: number;
  readonly signal?: AbortSignal;
  readonly maxBytes: number;
}

/** A token of a registry's token server. */
export interface Token {
  readonly token: string;
  /** milliseconds since 1970; some time before it really ends */
  readonly usableUntil: number;
}

/** What a header field can carry. @see https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
const BEARER = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Gets a token: with an identity token over OAuth 2, else with user and password, or with nothing.
 *
 * @see https://distribution.github.io/distribution/spec/auth/token/
 * @see https://distribution.github.io/distribution/spec/auth/oauth/
 * @throws RegistryError
 */
export async function fetchToken(client: HttpClient, ask: TokenRequest): Promise<Token> {
  const doing = `get a token from ${shownUrl(ask.realm)} for ${ask.home.host}`;
  const request =
    ask.credentials?.kind === 'identity-token' ? refreshRequest(ask, ask.credentials.token) : loginRequest(ask);
  const now = client.clock.now();
  try {
    return await client.exchange(request, async (response) => {
      if (response.status !== 200) throw await tokenRefused(response, doing, ask.credentials);
      const bytes = await readBody(response, ask.maxBytes, `the token of ${ask.realm.host}`);
      return decodeToken(bytes, ask, now);
    });
  } catch (error) {
    throw failedOnTheWay(error, doing, ask.realm);
  }
}

function loginRequest(ask: TokenRequest): HttpRequest {
  const url = new URL(ask.realm);
  if (ask.service !== undefined) url.searchParams.set('service', ask.service);
  for (const scope of ask.scopes) url.searchParams.append('scope', scope);
  const { credentials } = ask;
  const authorization = credentials?.kind === 'basic' ? { authorization: basicAuthorization(credentials) } : {};
  return { ...commonRequest(ask), method: 'GET', url, headers: { ...commonHeaders(ask), ...authorization } };
}

function refreshRequest(ask: TokenRequest, refreshToken: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    service: ask.service ?? '',
    client_id: 'bulla',
    scope: ask.scopes.join(' '),
    refresh_token: refreshToken,
  });
  return {
    ...commonRequest(ask),
    method: 'POST',
    url: ask.realm,
    headers: { ...commonHeaders(ask), 'content-type': 'application/x-www-form-urlencoded' },
    body: new TextEncoder().encode(form.toString()),
    repeatable: true,
    redirects: 0, // the body is a secret
  };
}

function commonRequest(ask: TokenRequest): Pick<HttpRequest, 'home' | 'tls' | 'deadline' | 'signal'> {
  return {
    home: ask.home,
    deadline: ask.deadline,
    ...(ask.tls === undefined ? {} : { tls: ask.tls }),
    ...(ask.signal === undefined ? {} : { signal: ask.signal }),
  };
}

function commonHeaders(ask: TokenRequest): Record<string, string> {
  return { accept: 'application/json', 'user-agent': ask.userAgent };
}

/** The value of `authorization` for a user and password. @see https://www.rfc-editor.org/rfc/rfc7617 */
export function basicAuthorization(credentials: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64')}`;
}

function decodeToken(bytes: Uint8Array, ask: TokenRequest, now: number): Token {
  const where = `the answer of the token server ${ask.realm.host}`;
  let json;
  try {
    json = parseJson(bytes, { what: where, maxBytes: ask.maxBytes });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    // What it begins with could be half a token.
    throw new RegistryError('protocol-violation', `${where} is not JSON`, { url: shownUrl(ask.realm) });
  }
  const token = isJsonObject(json) ? (json['token'] ?? json['access_token']) : undefined;
  if (typeof token !== 'string' || !BEARER.test(token)) {
    const found = typeof token === 'string' ? 'is no bearer token' : 'holds no token';
    throw new RegistryError('protocol-violation', `${where} ${found} (expected 'token' or 'access_token')`, {
      url: shownUrl(ask.realm),
    });
  }
  const expiresIn = isJsonObject(json) ? json['expires_in'] : undefined;
  // The specification's default is 60 seconds.
  const seconds = typeof expiresIn === 'number' && expiresIn > 0 ? Math.min(expiresIn, 86_400) : 60;
  return { token, usableUntil: now + seconds * 900 };
}

async function tokenRefused(
  response: HttpResponse,
  doing: string,
  credentials: Credentials | undefined,
): Promise<RegistryError> {
  const refusal = await readRefusal(response);
  const error = refused(response, refusal, doing);
  const isNo = response.status >= 400 && response.status < 500 && ![408, 429].includes(response.status);
  if (!isNo) return error;
  const shown =
    credentials === undefined ? 'no credentials were sent' : `the credentials from ${credentials.source} were sent`;
  return new RegistryError('unauthorized', `${error.message} (${shown})`, {
    url: shownUrl(response.url),
    status: response.status,
  });
}
