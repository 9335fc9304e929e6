// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';

/** Who somebody is, as an issuer says it: what a certificate authority turns into a certificate. */
export interface IdentityToken {
  /** the JSON Web Token itself: a secret, which is sent to the certificate authority and shown nowhere */
  readonly text: string;
  /** claim `iss` */
  readonly issuer: string;
  /** claim `sub` */
  readonly subject: string;
  /** claim `email` */
  readonly email?: string;
  /** claim `aud`; the client id that was asked for is one of them */
  readonly audience: readonly string[];
  /** claim `exp` */
  readonly expiresAt: Date;
  /** what the new key signs, as proof that whoever has the token has the key: the e-mail address, or else the subject */
  readonly challenge: string;
}

/** What a token must be good for. */
export interface IdentityTokenExpectation {
  /** the audience that the certificate authority demands; `sigstore` nearly always */
  readonly clientId: string;
  readonly now: Date;
  /** milliseconds that the token must last still; 10,000 unless told */
  readonly lastsMs?: number;
}

/** Real tokens have one or two thousand characters; servers stop reading a header at 16 to 64 thousand. */
const MAX_LENGTH = 32 * 1024;
const MAX_NAME = 2048;
const MAX_AUDIENCES = 64;
const LASTS_MS = 10_000;
/** As much as verifiers forgive a clock that is behind. */
const NOT_BEFORE_LEEWAY_MS = 5 * 60_000;
/** Signatures that others can check. A token by a shared secret, or by none, proves nothing to anybody else. */
const ALGORITHMS = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;
const LATEST = Date.UTC(9999, 11, 31) / 1000;

type Claims = { readonly [key: string]: Json };

/**
 * Reads an identity token, and refuses one that no certificate authority could take: so that a mistake shows here and by its name. The
 * signature is not checked: whoever asks has no use for a forged token, and the certificate authority checks it.
 *
 * @throws KeylessError `token-malformed`, `token-audience`, `token-expired`, `token-not-yet-valid`; no message shows the token
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken
 * @see https://www.rfc-editor.org/rfc/rfc7519
 * @example const token = decodeIdentityToken(process.env['SIGSTORE_ID_TOKEN'] ?? '', { clientId: 'sigstore', now: new Date() });
 */
export function decodeIdentityToken(text: string, expectation: IdentityTokenExpectation): IdentityToken {
  const claims = readClaims(text);
  const issuer = name(claims, 'iss');
  const subject = name(claims, 'sub');
  const email = claims['email'] === undefined || claims['email'] === '' ? undefined : name(claims, 'email');
  const audience = readAudience(claims['aud']);
  if (!audience.includes(expectation.clientId)) {
    throw new KeylessError(
      'token-audience',
      `the identity token of ${printable(issuer)} is for ${audience.map(quoted).join(', ')} (expected audience ${quoted(expectation.clientId)})`,
    );
  }
  const expiresAt = checkTimes(claims, issuer, expectation);
  return {
    text,
    issuer,
    subject,
    ...(email === undefined ? {} : { email }),
    audience,
    expiresAt,
    challenge: email ?? subject,
  };
}

/** Whether a text has the form of a token: three parts, the first of which is a JSON object. It may be a bad one still. */
export function looksLikeToken(text: string): boolean {
  if (text.length > MAX_LENGTH) return false;
  const parts = text.split('.', 4);
  return parts.length === 3 && parts[0]?.startsWith('eyJ') === true;
}

/** Whom a text that may be a token is for. Undefined where it is no token. */
export function readAudienceUnchecked(text: string): readonly string[] | undefined {
  try {
    return readAudience(readClaims(text)['aud']);
  } catch (error) {
    if (error instanceof KeylessError) return undefined;
    throw error;
  }
}

function readClaims(text: string): Claims {
  // before anything is split: a text of a million dots makes a million pieces
  if (text.length > MAX_LENGTH) {
    throw malformed(`has ${text.length} characters, at most ${MAX_LENGTH} are read`);
  }
  const [head = '', body = '', signature = '', ...more] = text.split('.', 4);
  if (head === '' || body === '' || signature === '' || more.length > 0) {
    throw malformed('does not have three parts with a dot between them');
  }
  const header = readPart(head, 'header');
  const algorithm = header['alg'];
  if (typeof algorithm !== 'string' || !ALGORITHMS.test(algorithm)) {
    const found = typeof algorithm === 'string' ? quoted(algorithm) : 'no name';
    throw malformed(`has the signature algorithm ${found} (expected RS256, ES256, EdDSA or one of their kind)`);
  }
  const claims = readPart(body, 'payload');
  if (!isBase64Url(signature)) throw malformed('has a signature that is not base64url');
  return claims;
}

function readPart(part: string, what: string): Claims {
  let json: Json | undefined;
  try {
    // the parser's own words would show how it begins
    json = isBase64Url(part)
      ? parseJson(Buffer.from(part, 'base64url'), { what, maxBytes: MAX_LENGTH, maxDepth: 16 })
      : undefined;
  } catch {
    json = undefined;
  }
  if (!isJsonObject(json)) throw malformed(`has a ${what} that is not a JSON object in base64url`);
  return json;
}

/** One value has one spelling. @see https://www.rfc-editor.org/rfc/rfc7515#section-2 */
function isBase64Url(part: string): boolean {
  return Buffer.from(part, 'base64url').toString('base64url') === part;
}

function name(claims: Claims, claim: string): string {
  const value = claims[claim];
  if (typeof value !== 'string' || value === '') throw malformed(`has no claim '${claim}' that is a text`);
  if (value.length > MAX_NAME) {
    throw malformed(`has a claim '${claim}' of ${value.length} characters, at most ${MAX_NAME} are read`);
  }
  if (/[\p{Cc}\p{Cs}]/u.test(value)) throw malformed(`has a claim '${claim}' with control characters`);
  return value;
}

function readAudience(value: Json | undefined): readonly string[] {
  const list: readonly Json[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  const texts = list.filter((item) => typeof item === 'string' && item !== '' && item.length <= MAX_NAME);
  if (texts.length === 0 || texts.length !== list.length || texts.length > MAX_AUDIENCES) {
    throw malformed("has no claim 'aud' that is a text or a list of texts");
  }
  return texts as readonly string[];
}

function checkTimes(claims: Claims, issuer: string, { now, lastsMs = LASTS_MS }: IdentityTokenExpectation): Date {
  const expiresAt = readTime(claims, 'exp');
  if (expiresAt === undefined) throw malformed("has no claim 'exp': it would never expire");
  const left = expiresAt.getTime() - now.getTime();
  const whose = `the identity token of ${printable(issuer)}`;
  const clock = `(the clock here says ${now.toISOString()})`;
  if (left <= 0) throw new KeylessError('token-expired', `${whose} expired at ${expiresAt.toISOString()} ${clock}`);
  if (left < lastsMs) {
    throw new KeylessError(
      'token-expired',
      `${whose} expires at ${expiresAt.toISOString()}, too soon to be used: it must last ${lastsMs / 1000} s still ${clock}`,
    );
  }
  const notBefore = readTime(claims, 'nbf');
  if (notBefore !== undefined && notBefore.getTime() > now.getTime() + NOT_BEFORE_LEEWAY_MS) {
    throw new KeylessError('token-not-yet-valid', `${whose} is not valid before ${notBefore.toISOString()} ${clock}`);
  }
  return expiresAt;
}

/** Seconds since 1970, which may have a fraction. @see https://www.rfc-editor.org/rfc/rfc7519#section-2 */
function readTime(claims: Claims, claim: string): Date | undefined {
  const value = claims[claim];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value <= LATEST)) {
    throw malformed(`has a claim '${claim}' that is not a time in seconds since 1970`);
  }
  return new Date(value * 1000);
}

function quoted(text: string): string {
  return `'${printable(text)}'`;
}

function malformed(problem: string): KeylessError {
  return new KeylessError('token-malformed', `the identity token ${problem}`);
}
