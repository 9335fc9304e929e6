// SPDX-License-Identifier: Apache-2.0
import type { JSONWebKeySet } from 'jose';
import type { PrivateKey, PublicKey } from '../../trust/index.ts';
import { comparePassword, json, type Answer, type Call, type Reply, type Service } from '../../wire/index.ts';
import { Authorization } from './authorization.ts';
import { DeviceApproval } from './device-approval.ts';
import { DeviceFlows } from './device-flows.ts';
import { FormGuard } from './form-guard.ts';
import { isBrokenBody } from './form.ts';
import { IssuerPath, type IssuerContext } from './issuer-context.ts';
import { EMPTY_DOCUMENT, type IssuerDocument } from './issuer-document.ts';
import { IssuerError } from './issuer-error.ts';
import { signToken, type TokenRequest } from './mint-token.ts';
import { OAuthFault, oauthReply } from './oauth-fault.ts';
import { PageFault } from './page.ts';
import { PasswordLogin } from './password-login.ts';
import { DEVICE_GRANT, TokenEndpoint } from './token-endpoint.ts';
import { publishedTokenKey, tokenKey, type PublishedTokenKey, type TokenKey } from './token-key.ts';

/** The first one signs; the others are published beside it, so that what they signed or will sign verifies. */
export type IssuerKeys = readonly [PrivateKey, ...PublicKey[]];

/** With what an issuer works. */
export interface IssuerOptions {
  /** what tokens name as their issuer, and what stands before the paths: http or https, without a slash at its end */
  readonly url: string;
  readonly keys: IssuerKeys;
  readonly now: () => Date;
  /** from `decodeIssuerDocument`; nobody gets a token unless told */
  readonly document?: IssuerDocument;
  /** seconds that a token lives; 600 unless told */
  readonly lifetime?: number;
  /** seconds between two polls of a device; 2 unless told */
  readonly deviceInterval?: number;
}

/** An OpenID Connect issuer, without its socket. */
export interface IdentityIssuer {
  readonly service: Service;
  /** A token signed with the newest key, as `mintToken` makes it. @throws IssuerError */
  mint(request: TokenRequest): Promise<string>;
  /** The public keys, as they are published. */
  jwks(): JSONWebKeySet;
  /** Rotation: from now on the first of these signs, and all are published. @throws IssuerError `issuer-key-unsupported` */
  replaceKeys(keys: IssuerKeys): Promise<void>;
  /** From now on these get tokens; who has logged in already keeps what was begun. */
  replaceDocument(document: IssuerDocument): void;
}

type Keys = readonly [TokenKey, ...PublishedTokenKey[]];
type Routes = ReadonlyMap<string, Readonly<Partial<Record<'GET' | 'POST', Answer>>>>;

const LIFETIME_S = 600;
const DEVICE_INTERVAL_S = 2;
/** seconds that what everybody may know is kept; who meets a key that is not among those asks anew */
const PUBLIC = { 'cache-control': 'public, max-age=300' };

/**
 * Makes an issuer for people (authorization code with PKCE, device flow) and workloads (client credentials, bearer).
 *
 * What waits (codes, devices, approvals) waits in memory, for ten minutes at most: nothing that a stranger sends is written to the
 * disk, and who was in the middle of a login when the process ended begins anew.
 *
 * @throws IssuerError `issuer-url-malformed`, `issuer-key-unsupported`
 * @see https://openid.net/specs/openid-connect-core-1_0.html
 * @example
 * const key = await generatePrivateKey('rsa-2048');
 * const issuer = await createIssuer({ url: 'http://127.0.0.1:8080', keys: [key], now: () => new Date() });
 * await issuer.mint({ subject: 'dev@example.com' });
 */
export async function createIssuer(options: IssuerOptions): Promise<IdentityIssuer> {
  const { now, lifetime = LIFETIME_S, deviceInterval = DEVICE_INTERVAL_S } = options;
  const parsed = parseIssuerUrl(options.url);
  const url = options.url;
  let keys = await prepare(options.keys);
  let document = options.document ?? EMPTY_DOCUMENT;
  const prefix = parsed.pathname === '/' ? '' : parsed.pathname;
  const context: IssuerContext = {
    url,
    prefix,
    now,
    lifetime,
    deviceInterval,
    document: () => document,
    passwords: new PasswordLogin(() => document.users, comparePassword, now),
    forms: new FormGuard(parsed, `${prefix}/oidc`),
    mint: (request, login) => signToken(request, { key: keys[0], issuer: url, now: now() }, login),
  };
  const jwks = (): JSONWebKeySet => ({ keys: keys.map(({ jwk }) => jwk) });
  const routes = routesOf(context, () => keys, jwks);
  return {
    service: { answer: (call) => route(routes, call), fault },
    mint: (request) => context.mint({ lifetime, ...request }),
    jwks,
    replaceKeys: async (next) => {
      keys = await prepare(next);
    },
    replaceDocument: (next) => {
      document = next;
    },
  };
}

/** Reads the URL of an issuer. @throws IssuerError `issuer-url-malformed` */
export function parseIssuerUrl(text: string): URL {
  const url = URL.parse(text);
  const bare = url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  // Compared as a text by whoever checks a token, so it has one spelling only.
  if (bare && /^https?:$/.test(url.protocol) && url.href.replace(/\/$/, '') === text) return url;
  throw new IssuerError(
    'issuer-url-malformed',
    'the URL of an issuer is of the form http[s]://HOST[:PORT][/PATH], without a slash at its end',
  );
}

async function prepare([first, ...others]: IssuerKeys): Promise<Keys> {
  return [await tokenKey(first), ...(await Promise.all(others.map(publishedTokenKey)))];
}

function routesOf(context: IssuerContext, keys: () => Keys, jwks: () => JSONWebKeySet): Routes {
  const authorization = new Authorization(context);
  const devices = new DeviceFlows(context.now);
  const approval = new DeviceApproval(context, devices);
  const endpoint = new TokenEndpoint(context, authorization, devices);
  return new Map([
    [IssuerPath.discovery, { GET: async () => json(discovery(context.url, keys()), PUBLIC) }],
    [IssuerPath.keys, { GET: async () => json(jwks(), PUBLIC) }],
    [
      IssuerPath.authorization,
      { GET: (call: Call) => authorization.show(call), POST: (call: Call) => authorization.submit(call) },
    ],
    [IssuerPath.token, { POST: (call: Call) => endpoint.exchange(call) }],
    [IssuerPath.deviceAuthorization, { POST: (call: Call) => endpoint.beginDevice(call) }],
    [IssuerPath.device, { GET: (call: Call) => approval.show(call), POST: (call: Call) => approval.submit(call) }],
    [IssuerPath.deviceDecision, { POST: (call: Call) => approval.decide(call) }],
    [IssuerPath.workload, { GET: (call: Call) => endpoint.forWorkload(call) }],
  ]);
}

async function route(routes: Routes, call: Call): Promise<Reply> {
  const methods = routes.get(call.target.split('?', 1)[0] ?? '');
  if (methods === undefined) throw new OAuthFault('invalid_request', 'the issuer has nothing at this path', 404);
  const method = call.method === 'HEAD' ? 'GET' : call.method;
  const answer = method === 'GET' || method === 'POST' ? methods[method] : undefined;
  if (answer !== undefined) return answer(call);
  const allowed = Object.keys(methods).join(', ');
  const refusal = oauthReply(new OAuthFault('invalid_request', `${call.method} is not possible here`, 405));
  return { ...refusal, headers: { ...refusal.headers, allow: allowed } };
}

function fault(error: unknown): Reply {
  if (error instanceof PageFault) return error.reply;
  if (error instanceof OAuthFault) return oauthReply(error);
  if (isBrokenBody(error))
    return oauthReply(new OAuthFault('invalid_request', error.message, error.code === 'body-slow' ? 408 : 400));
  return oauthReply(new OAuthFault('server_error', 'the issuer failed; its log says why'));
}

/** @see https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata; RFC 8414; RFC 8628 section 4 */
function discovery(url: string, keys: Keys): unknown {
  return {
    issuer: url,
    authorization_endpoint: url + IssuerPath.authorization,
    token_endpoint: url + IssuerPath.token,
    device_authorization_endpoint: url + IssuerPath.deviceAuthorization,
    jwks_uri: url + IssuerPath.keys,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', DEVICE_GRANT, 'client_credentials'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(keys.map(({ algorithm }) => algorithm))],
    scopes_supported: ['openid', 'email'],
    claims_supported: [
      'iss',
      'sub',
      'aud',
      'exp',
      'iat',
      'nbf',
      'azp',
      'nonce',
      'auth_time',
      'email',
      'email_verified',
    ],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
  };
}
