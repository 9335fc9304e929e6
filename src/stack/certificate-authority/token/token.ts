// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { isJsonObject, parseJson, WireError, type Json } from '../../../wire/index.ts';
import { CertificateRefusal } from '../refusal.ts';
import { quoted } from '../quoted.ts';

/** What a token claims. */
export type Claims = Readonly<Record<string, Json>>;

/** A token in its form, before anything about it is known to be true. */
export interface UnverifiedToken {
  readonly text: string;
  readonly issuer: string;
  readonly algorithm: string;
  readonly keyId?: string;
  readonly claims: Claims;
  /** SHA-256 of what its issuer has signed, header and claims: what is kept of it. Of a signature there are several spellings, and of ECDSA two */
  readonly hash: Uint8Array;
}

/** A group claim of a large directory takes some; nothing needs more */
const MAX_CHARACTERS = 32 * 1024;
const MAX_DEPTH = 8;
const MAX_VALUES = 5000;
const BASE64_URL = /^[A-Za-z0-9_-]+$/;

/** Signatures by a key that the issuer alone has; `none` and the shared secrets of HS256 are not among them. */
export const TOKEN_ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

/**
 * Reads a JWT without believing it. Its size and its dots are looked at before anything is decoded (GHSA-f83f-xpx7-ffpw).
 *
 * @throws CertificateRefusal `token-malformed`, `token-algorithm`
 * @see https://www.rfc-editor.org/rfc/rfc7519#section-7.2
 */
export function readToken(text: string): UnverifiedToken {
  if (text.length > MAX_CHARACTERS) throw malformed(`${text.length} characters, at most ${MAX_CHARACTERS} are read`);
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first === -1 || second === -1 || text.includes('.', second + 1))
    throw malformed('not three parts with two dots between them');
  const header = decodePart(text.slice(0, first), 'header');
  const claims = decodePart(text.slice(first + 1, second), 'claims');
  const signature = text.slice(second + 1);
  const { alg, kid } = header;
  if (typeof alg !== 'string' || !TOKEN_ALGORITHMS.includes(alg))
    throw new CertificateRefusal(
      'token-algorithm',
      `the identity token is signed with ${typeof alg === 'string' ? quoted(alg, 20) : 'nothing'}, expected one of ${TOKEN_ALGORITHMS.join(', ')}`,
    );
  if (!BASE64_URL.test(signature)) throw malformed('a signature that is not base64url');
  const { iss } = claims;
  if (typeof iss !== 'string' || iss === '') throw malformed("no 'iss'");
  const keyId = typeof kid === 'string' && kid !== '' ? { keyId: kid } : {};
  return { text, issuer: iss, algorithm: alg, ...keyId, claims, hash: hash('sha256', text.slice(0, second), 'buffer') };
}

function decodePart(part: string, what: string): Claims {
  if (!BASE64_URL.test(part)) throw malformed(`a part with its ${what} that is not base64url`);
  try {
    const value = parseJson(Buffer.from(part, 'base64url'), {
      what,
      maxBytes: MAX_CHARACTERS,
      maxDepth: MAX_DEPTH,
      maxValues: MAX_VALUES,
    });
    if (isJsonObject(value)) return value;
  } catch (error) {
    // no cause: what a token says is not passed on
    if (!(error instanceof WireError)) throw error;
  }
  throw malformed(`a part with its ${what} that is no JSON object of reasonable size`);
}

function malformed(found: string): CertificateRefusal {
  return new CertificateRefusal('token-malformed', `the identity token is no JWT: it has ${found}`);
}
