// SPDX-License-Identifier: Apache-2.0
import type { createLocalJWKSet, JSONWebKeySet } from 'jose';
import { CertificateRefusal } from '../refusal.ts';
import { quoted } from '../quoted.ts';
import type { TokenKeys } from './token-keys.ts';
import { TOKEN_ALGORITHMS, type UnverifiedToken } from './token.ts';

/** clocks differ by this much at most */
const LEEWAY_S = 5 * 60;
/** keys that a token without a key id is tried with */
const MAX_TRIES = 8;

type KeySet = ReturnType<typeof createLocalJWKSet>;
const KEY_SETS = new WeakMap<JSONWebKeySet, KeySet>();

/**
 * Whether the token is its issuer's, for this audience, and of now.
 *
 * @throws CertificateRefusal `token-signature`, `token-audience`, `token-expired`, `token-not-yet-valid`, `token-claims`,
 *   `issuer-unreachable`
 * @see https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
 */
export async function verifyToken(token: UnverifiedToken, keys: TokenKeys, audience: string, now: Date): Promise<void> {
  // What costs nothing comes first: nobody's keys are read anew for a token that is of no use anyway.
  checkAudience(token, audience);
  checkTimes(token, Math.floor(now.getTime() / 1000));
  const { sub } = token.claims;
  if (typeof sub !== 'string' || sub === '')
    throw new CertificateRefusal('token-claims', "the identity token has no 'sub', expected whom it is about");
  if (await isSigned(token, await keys.current())) return;
  const newer = await keys.refreshed();
  if (newer !== undefined && (await isSigned(token, newer))) return;
  const key = token.keyId === undefined ? 'one of its keys' : `its key ${quoted(token.keyId)}`;
  throw new CertificateRefusal(
    'token-signature',
    `the identity token has a signature that does not hold, expected one of the issuer ${quoted(token.issuer)} by ${key}`,
  );
}

function checkAudience({ claims: { aud } }: UnverifiedToken, audience: string): void {
  const found = Array.isArray(aud) ? aud : [aud];
  if (found.includes(audience)) return;
  const shown = found.filter((item) => typeof item === 'string').slice(0, 4);
  throw new CertificateRefusal(
    'token-audience',
    `the identity token is for ${shown.length === 0 ? 'nobody' : shown.map((item) => quoted(item)).join(', ')}, expected the audience ${quoted(audience)}`,
  );
}

function checkTimes({ claims: { exp, nbf } }: UnverifiedToken, now: number): void {
  if (typeof exp !== 'number')
    throw new CertificateRefusal('token-expired', "the identity token has no 'exp', expected an end");
  if (!(exp > now))
    throw new CertificateRefusal(
      'token-expired',
      `the identity token expired at ${timeOf(exp)}, now it is ${timeOf(now)}`,
    );
  if (nbf === undefined) return;
  if (typeof nbf !== 'number' || !(nbf <= now + LEEWAY_S))
    throw new CertificateRefusal(
      'token-not-yet-valid',
      `the identity token is not valid before ${typeof nbf === 'number' ? timeOf(nbf) : 'a time that is none'}, now it is ${timeOf(now)}`,
    );
}

function timeOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds}` : date.toISOString();
}

async function isSigned(token: UnverifiedToken, keys: JSONWebKeySet): Promise<boolean> {
  const { compactVerify, createLocalJWKSet, errors } = await import('jose');
  const options = { algorithms: [...TOKEN_ALGORITHMS] };
  try {
    let set = KEY_SETS.get(keys);
    if (set === undefined) KEY_SETS.set(keys, (set = createLocalJWKSet(keys)));
    await compactVerify(token.text, set, options);
    return true;
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      let tries = 0;
      for await (const key of error) {
        if (++tries > MAX_TRIES) return false;
        if (
          await compactVerify(token.text, key, options).then(
            () => true,
            () => false,
          )
        )
          return true;
      }
      return false;
    }
    // Everything that can be wrong with a token or a key: it was not verified. Anything else is not about the token.
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException) return false;
    throw error;
  }
}
