// SPDX-License-Identifier: Apache-2.0
import type * as OpenIdClient from 'openid-client';
import { printable } from '../../../trust/index.ts';
import { hostKind, isJsonObject, parseJson, readBody, shownUrl, WireError } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import { parseTokenServerUrl } from '../provider/token-server-url.ts';
import type { LoginSettings, LoginSurroundings } from './login-settings.ts';

/** An issuer of OpenID Connect, found by its address, and the library that speaks with it. */
export interface IssuerConnection {
  readonly oidc: typeof OpenIdClient;
  readonly configuration: OpenIdClient.Configuration;
  /** as it is shown */
  readonly name: string;
}

const MAX_ANSWER = 256 * 1024;
const PATIENCE_MS = 30_000;
/** What is asked for: who it is, and where that is a person the e-mail address. */
export const SCOPE = 'openid email';

/**
 * Reads what an issuer says of itself. All that is asked of it goes over our own transport: no redirects, nowhere below https where the
 * issuer is https, to no inner address unless the issuer has one.
 *
 * @throws KeylessError
 * @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
 */
export async function connectIssuer(
  settings: LoginSettings,
  surroundings: LoginSurroundings,
): Promise<IssuerConnection> {
  const issuer = parseTokenServerUrl(settings.issuer, 'the OIDC issuer');
  const name = shownUrl(issuer);
  const { client, clientId } = surroundings;
  const oidc = await import('openid-client');
  const { clientSecret: secret } = settings;
  try {
    const configuration = await oidc.discovery(
      issuer,
      clientId,
      { [oidc.clockSkew]: Math.round((client.clock.now() - Date.now()) / 1000) },
      secret === undefined ? oidc.None() : oidc.ClientSecretPost(secret),
      {
        [oidc.customFetch]: fetchOver(issuer, surroundings),
        execute: [
          oidc.enableNonRepudiationChecks,
          ...(issuer.protocol === 'http:' ? [oidc.allowInsecureRequests] : []),
        ],
      },
    );
    return { oidc, configuration, name };
  } catch (error) {
    throw loginFailure(error, name, surroundings.signal);
  }
}

/**
 * An address that the issuer wants a person to open: a page of the web, and nothing else that a desktop would start.
 * @throws KeylessError `issuer-unusable`
 */
export function checkPage(text: string, { name }: Pick<IssuerConnection, 'name'>): URL {
  const url = text.length <= 8192 && URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && hostKind(url) === 'loopback')) return url;
  throw new KeylessError('issuer-unusable', `${name} sends people to '${printable(text)}' (expected an https URL)`);
}

function fetchOver(issuer: URL, { client, deadline, signal, userAgent }: LoginSurroundings): OpenIdClient.CustomFetch {
  return async (address, { method, headers, body }) => {
    const answer = await client.exchange(
      {
        method,
        url: new URL(address),
        headers: { ...headers, 'user-agent': userAgent },
        ...(body === undefined || body === null ? {} : { body: bodyBytes(body) }),
        home: issuer,
        deadline: Math.min(deadline, client.clock.now() + PATIENCE_MS),
        ...(signal === undefined ? {} : { signal }),
        // A code that is used up by an answer that got lost is lost anyway.
        repeatable: true,
        redirects: 0,
      },
      async (response) => ({
        status: response.status,
        headers: response.headers,
        bytes: await readBody(response, MAX_ANSWER, `an answer of ${shownUrl(issuer)}`),
      }),
    );
    const { status, bytes } = answer;
    const passing = status === 408 || status === 429 || status >= 500;
    if (passing && !saysWhy(bytes))
      throw new KeylessError('token-unavailable', `cannot log in at ${shownUrl(issuer)}: it answers ${status}`);
    return new Response(bytes.length === 0 ? null : Uint8Array.from(bytes), { status, headers: { ...answer.headers } });
  };
}

function bodyBytes(body: unknown): Uint8Array {
  if (body instanceof Uint8Array) return body;
  if (typeof body === 'string' || body instanceof URLSearchParams) return new TextEncoder().encode(body.toString());
  throw new KeylessError('issuer-unusable', 'a request to the issuer has a body of an unknown kind');
}

// A code of OAuth decides, whatever the status: some issuers say `slow_down` with 429.
function saysWhy(bytes: Uint8Array): boolean {
  try {
    const json = parseJson(bytes, { what: '', maxBytes: MAX_ANSWER, maxDepth: 16 });
    return isJsonObject(json) && typeof json['error'] === 'string';
  } catch {
    return false;
  }
}

/** Codes by which an issuer says that it cannot now. @see https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1 */
const PASSING: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable']);

/** Codes by which an issuer says no to the person or to the program, not that something is broken. */
const REFUSALS: ReadonlySet<string> = new Set([
  'access_denied',
  'unauthorized_client',
  'invalid_client',
  'invalid_scope',
  'login_required',
  'consent_required',
  'interaction_required',
]);

/**
 * An error of the library in our words. It is not kept as the cause: it carries the answers of the issuer, tokens included.
 */
export function loginFailure(error: unknown, issuer: string, signal: AbortSignal | undefined): Error {
  // whoever gave up knows why
  if (signal?.aborted === true) return signal.reason as Error;
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof KeylessError) return at;
    if (at instanceof WireError) {
      return new KeylessError('token-unavailable', `cannot log in at ${issuer}: ${at.message}`, { cause: at });
    }
  }
  const { error: code, code: kind, message } = (error ?? {}) as { error?: unknown; code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    if (PASSING.has(code)) return new KeylessError('token-unavailable', `cannot log in at ${issuer}: it says ${code}`);
    const refused = REFUSALS.has(code);
    return new KeylessError(
      refused ? 'login-refused' : 'issuer-unusable',
      `${issuer} ${refused ? 'refuses the login' : 'cannot do the login'}: ${printable(code)}`,
    );
  }
  const words = typeof kind === 'string' && typeof message === 'string' ? `: ${printable(message, 200)}` : '';
  return new KeylessError('issuer-unusable', `${issuer} does not answer as OpenID Connect has it${words}`);
}

/**
 * The identity token of an answer.
 * @throws KeylessError `issuer-unusable`
 */
export function idTokenOf(answer: { readonly id_token?: string | undefined }, issuer: string): string {
  if (answer.id_token !== undefined) return answer.id_token;
  throw new KeylessError('issuer-unusable', `${issuer} answers without an identity token (was 'openid' not granted?)`);
}
