// SPDX-License-Identifier: Apache-2.0
import type { JWK } from 'jose';
import type { PrivateKey, PublicKey } from '../../trust/index.ts';
import { IssuerError } from './issuer-error.ts';

/** The public half of a key that signs, or signed, tokens, with the name under which it is found. */
export interface PublishedTokenKey {
  readonly id: string;
  readonly algorithm: 'RS256' | 'ES256' | 'ES384';
  /** as it is published */
  readonly jwk: JWK;
}

/** A key that signs tokens. */
export interface TokenKey extends PublishedTokenKey {
  readonly key: PrivateKey;
}

/**
 * A key as tokens name it: by its thumbprint (RFC 7638). RSA, because cosign takes `--identity-token` for a token only where it is signed
 * with RS256; ECDSA works with every other way to hand a token over.
 *
 * @throws IssuerError `issuer-key-unsupported`
 */
export async function tokenKey(key: PrivateKey): Promise<TokenKey> {
  return { ...(await publishedTokenKey(key.publicKey)), key };
}

/** The public half alone: of a key that signs no more. @throws IssuerError `issuer-key-unsupported` */
export async function publishedTokenKey(publicKey: PublicKey): Promise<PublishedTokenKey> {
  const { calculateJwkThumbprint, exportJWK } = await import('jose');
  const algorithm = algorithmFor(publicKey);
  if (algorithm === undefined)
    throw new IssuerError(
      'issuer-key-unsupported',
      `tokens cannot be signed with a key of ${publicKey.algorithm}, expected RSA or ECDSA on P-256 or P-384`,
    );
  const published = await exportJWK(publicKey.object);
  const id = await calculateJwkThumbprint(published);
  return { id, algorithm, jwk: { ...published, kid: id, alg: algorithm, use: 'sig' } };
}

function algorithmFor({ algorithm }: PublicKey): PublishedTokenKey['algorithm'] | undefined {
  if (algorithm === 'ecdsa-p256') return 'ES256';
  if (algorithm === 'ecdsa-p384') return 'ES384';
  return algorithm.startsWith('rsa-') ? 'RS256' : undefined;
}
