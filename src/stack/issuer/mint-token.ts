// SPDX-License-Identifier: Apache-2.0
import type { PrivateKey } from '../../trust/index.ts';
import { IssuerError } from './issuer-error.ts';
import { checkClaims, parseSubject, type Claims } from './subject.ts';
import { tokenKey, type TokenKey } from './token-key.ts';

/** What a token says. */
export interface TokenRequest {
  /** an e-mail address, which is then also the claim `email`, verified; or a URI */
  readonly subject: string;
  /** who the token is for; `sigstore` unless told */
  readonly audience?: string | readonly string[];
  /** beside what the issuer states itself */
  readonly claims?: Claims;
  /** seconds, from 1 to 86,400; 600 unless told */
  readonly lifetime?: number;
}

/** Who says so, and when. */
export interface TokenMaker {
  readonly key: PrivateKey;
  /** the issuer's URL, as discovery has it */
  readonly issuer: string;
  readonly now: Date;
}

/** What only the issuer itself adds, for a login. */
export interface LoginClaims {
  readonly nonce?: string | undefined;
  /** seconds since 1970 */
  readonly auth_time?: number;
  /** the client, where the token has several audiences */
  readonly azp?: string;
}

/** The audience that Sigstore's services and clients expect. */
export const SIGSTORE_AUDIENCE = 'sigstore';

const LIFETIME_S = 600;
/** seconds that the longest token lives */
export const MAX_LIFETIME_S = 86_400;

/**
 * Makes an identity token as this issuer would give it to a person or a workload. It follows from its arguments alone (but for ECDSA's own
 * randomness): no server needs to run.
 *
 * @throws IssuerError `subject-malformed`, `claim-malformed`, `lifetime-malformed`, `issuer-key-unsupported`
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken
 * @example
 * await mintToken({ subject: 'dev@example.com' }, { key, issuer: 'http://127.0.0.1:8080', now: new Date() });
 */
export async function mintToken(request: TokenRequest, by: TokenMaker): Promise<string> {
  return signToken(request, { key: await tokenKey(by.key), issuer: by.issuer, now: by.now });
}

/** As `mintToken`, with a key that is ready and what a login adds. */
export async function signToken(
  request: TokenRequest,
  by: { readonly key: TokenKey; readonly issuer: string; readonly now: Date },
  login: LoginClaims = {},
): Promise<string> {
  const { audience = SIGSTORE_AUDIENCE, claims = {}, lifetime = LIFETIME_S } = request;
  const subject = parseSubject(request.subject);
  checkClaims(claims);
  if (!Number.isInteger(lifetime) || lifetime < 1 || lifetime > MAX_LIFETIME_S)
    throw new IssuerError('lifetime-malformed', `a token cannot live ${lifetime} s, expected 1 to ${MAX_LIFETIME_S}`);
  const begins = Math.floor(by.now.getTime() / 1000);
  const { SignJWT } = await import('jose');
  const payload = {
    ...claims,
    ...(subject.kind === 'email' ? { email: subject.text, email_verified: true } : {}),
    ...(login.nonce === undefined ? {} : { nonce: login.nonce }),
    ...(login.auth_time === undefined ? {} : { auth_time: login.auth_time }),
    ...(login.azp === undefined ? {} : { azp: login.azp }),
    iss: by.issuer,
    sub: subject.text,
    aud: typeof audience === 'string' ? audience : [...audience],
    iat: begins,
    nbf: begins,
    exp: begins + lifetime,
  };
  const { algorithm, id, key } = by.key;
  return new SignJWT(payload).setProtectedHeader({ alg: algorithm, kid: id, typ: 'JWT' }).sign(key.object);
}
