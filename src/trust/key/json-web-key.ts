// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import type { Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

type Jwk = { readonly [member: string]: Json };

const BASE64URL = /^[A-Za-z0-9_-]{1,2048}$/;
const PUBLIC_MEMBERS = { EC: ['x', 'y'], OKP: ['x'], RSA: ['n', 'e'] } as const;
const PRIVATE_MEMBERS = { EC: ['d'], OKP: ['d'], RSA: ['d', 'p', 'q', 'dp', 'dq', 'qi'] } as const;

/** True if the JWK has a private part. @see https://www.rfc-editor.org/rfc/rfc7518#section-6 */
export function isPrivateJwk(jwk: Jwk): boolean {
  return Object.hasOwn(jwk, 'd');
}

/**
 * Imports a JWK. The members `alg`, `use` and `key_ops` are not looked at.
 *
 * @throws TrustError `key-unsupported` for other curves, symmetric keys and key sets; `key-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc7517
 */
export function importJwk(jwk: Jwk, half: 'public' | 'private', what: string): KeyObject {
  if (Array.isArray(jwk['keys'])) throw new TrustError('key-unsupported', `${what} is a set of JWKs, expected one JWK`);
  const type = supportedType(jwk, what);
  const names = half === 'public' ? PUBLIC_MEMBERS[type] : [...PUBLIC_MEMBERS[type], ...PRIVATE_MEMBERS[type]];
  const key: webcrypto.JsonWebKey = { kty: type };
  if (typeof jwk['crv'] === 'string') key.crv = jwk['crv'];
  for (const name of names) {
    const value = jwk[name];
    if (typeof value !== 'string' || !BASE64URL.test(value)) {
      throw new TrustError('key-malformed', `${what} is a JWK whose member '${name}' is missing or not base64url`);
    }
    key[name] = value;
  }
  try {
    if (half === 'public') return createPublicKey({ key, format: 'jwk' });
    const object = createPrivateKey({ key, format: 'jwk' });
    // A library may derive the public half of Ed25519 and never look at the one that was given.
    if (type !== 'OKP' || createPublicKey(object).export({ format: 'jwk' }).x === key['x']) return object;
  } catch {
    // told below, without what the library says of a secret
  }
  throw new TrustError('key-malformed', `${what} is a JWK whose members make no ${half} key`);
}

function supportedType(jwk: Jwk, what: string): 'EC' | 'OKP' | 'RSA' {
  const { kty, crv } = jwk;
  if (kty === 'RSA') return 'RSA';
  if (kty === 'EC' && (crv === 'P-256' || crv === 'P-384' || crv === 'P-521')) return 'EC';
  if (kty === 'OKP' && crv === 'Ed25519') return 'OKP';
  const named = [kty, crv].filter((member) => typeof member === 'string').map((member) => printable(member, 20));
  throw new TrustError(
    'key-unsupported',
    `${what} is a JWK of type ${named.join(' ') || 'nothing'}, expected EC P-256, P-384 or P-521, OKP Ed25519, or RSA`,
  );
}
