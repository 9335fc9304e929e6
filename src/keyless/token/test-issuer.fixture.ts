// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import {
  createLocalJWKSet,
  exportJWK,
  generateKeyPair,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyResult,
} from 'jose';

/** An issuer with a key of its own, which signs what its provider would. */
export interface TestIssuer {
  readonly url: string;
  readonly jwks: JSONWebKeySet;
  /** Signs claims; `iss`, `iat` and `exp` (ten minutes) are added where they are not there. */
  sign(claims: JWTPayload): Promise<string>;
  /** Verifies as whoever relies on the issuer would: signature by its JWKS, issuer, audience, times. */
  verify(token: string, audience: string): Promise<JWTVerifyResult>;
}

/** The time of all tests that have a clock of their own. */
export const NOW: number = Date.UTC(2026, 9, 20, 12);

/** Makes an issuer with a fresh key. */
export async function testIssuer(url: string, now: () => number = () => NOW): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const kid = 'test-key-1';
  const jwks: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' }] };
  const keys = createLocalJWKSet(jwks);
  return {
    url,
    jwks,
    sign: (claims) => sign(privateKey, kid, { iss: url, ...times(now()), ...claims }),
    verify: (token, audience) =>
      jwtVerify(token, keys, { issuer: url, audience, algorithms: ['RS256'], currentDate: new Date(now()) }),
  };
}

function times(now: number): { iat: number; nbf: number; exp: number } {
  const seconds = Math.floor(now / 1000);
  return { iat: seconds, nbf: seconds, exp: seconds + 600 };
}

async function sign(key: CryptoKey, kid: string, claims: JWTPayload): Promise<string> {
  return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(key);
}

/** A token without a signature worth the name, for what is refused before a signature counts. */
export function unsignedToken(claims: unknown, header: unknown = { alg: 'RS256', kid: 'k1' }): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Runs what must fail, and looks for secrets in all that an error carries: message, stack, causes and properties. */
export async function failureWithout(secrets: readonly string[], action: () => Promise<unknown>): Promise<Error> {
  const { inspect } = process.getBuiltinModule('node:util');
  try {
    await action();
  } catch (error) {
    assert.ok(error instanceof Error);
    const all = inspect(error, { depth: 12, showHidden: true });
    for (const secret of secrets) assert.ok(!all.includes(secret), `a secret shows in the error ${error.message}`);
    return error;
  }
  assert.fail('it did not fail');
}
