// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { IssuerError } from './issuer-error.ts';

/** Whom a token is about. */
export type Subject = { readonly kind: 'email' | 'uri'; readonly text: string };

/** Claims beside those that the issuer states. */
export type Claims = Readonly<Record<string, Json>>;

const EMAIL = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/;
const MAX_EMAIL = 254;
const MAX_URI = 1024;
const MAX_CLAIMS = 64;
const MAX_CLAIMS_BYTES = 8 * 1024;
const STATED = new Set(
  'iss sub aud exp nbf iat jti azp nonce auth_time acr amr at_hash c_hash email email_verified'.split(' '),
);

/** Reads an e-mail address or a URI. @throws IssuerError `subject-malformed` */
export function parseSubject(text: string): Subject {
  if (EMAIL.test(text) && text.length <= MAX_EMAIL) return { kind: 'email', text };
  if (URI.test(text) && text.length <= MAX_URI) return { kind: 'uri', text };
  throw new IssuerError(
    'subject-malformed',
    `the subject ${JSON.stringify(text.slice(0, 64))} is neither an e-mail address nor a URI`,
  );
}

/**
 * Holds claims to what a token may say beside what the issuer states itself.
 *
 * @throws IssuerError `claim-malformed`
 */
export function checkClaims(claims: Claims): Claims {
  const names = Object.keys(claims);
  if (names.length > MAX_CLAIMS) throw malformed(`${names.length} claims, at most ${MAX_CLAIMS} fit in a token`);
  for (const name of names) {
    if (!/^[\x21-\x7e]{1,128}$/.test(name)) throw malformed(`a claim named ${JSON.stringify(name.slice(0, 64))}`);
    if (STATED.has(name)) throw malformed(`the claim ${name}, which the issuer states itself`);
  }
  const size = Buffer.byteLength(JSON.stringify(claims));
  if (size > MAX_CLAIMS_BYTES) throw malformed(`claims of ${size} bytes, at most ${MAX_CLAIMS_BYTES} fit in a token`);
  return claims;
}

/**
 * Reads claims as they are given on a command line: `name=value`, the value a text.
 *
 * @throws IssuerError `claim-malformed`
 * @example parseClaims(['repository=acme/app', 'ref=refs/heads/main'])
 */
export function parseClaims(pairs: readonly string[]): Claims {
  const claims = new Map<string, string>();
  for (const pair of pairs) {
    const mark = pair.indexOf('=');
    if (mark < 1) throw malformed(`${JSON.stringify(pair.slice(0, 64))}, expected NAME=VALUE`);
    const name = pair.slice(0, mark);
    if (claims.has(name)) throw malformed(`the claim ${name} twice`);
    claims.set(name, pair.slice(mark + 1));
  }
  return checkClaims(Object.fromEntries(claims));
}

function malformed(found: string): IssuerError {
  return new IssuerError('claim-malformed', `a token cannot have ${found}`);
}
