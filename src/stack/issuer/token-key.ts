// SPDX-License-Identifier: Apache-2.0
import type { JWK } from 'jose';
import type { PrivateKey, PublicKey } from '../../trust/index.ts';
import { IssuerError } from './issuer-error.ts';

/** A key that signs tokens, with the name under which its public half is found. */
export interface TokenKey {
  readonly id: string;
  readonly algorithm: 'RS256' | 'ES256' | 'ES384';
  readonly key: PrivateKey;
  /** the public half, as it is published */
  readonly jwk: JWK;
}

/**
 * A key as tokens name it: by its thumbprint (RFC 7638). RSA, because cosign takes `--identity-token` for a token only where it is signed
 * with RS256; ECDSA works with every other way to hand a token over.
 *
 * @throws IssuerError `issuer-key-unsupported`
 */
export async function tokenKey(key: PrivateKey): Promise<TokenKey> {
  const { calculateJwkThumbprint, exportJWK } = await import('jose');
  const algorithm = algorithmFor(key.publicKey);
  if (algorithm === undefined)
    throw new IssuerError(
      'issuer-key-unsupported',
      `tokens cannot be signed with a key of ${key.publicKey.algorithm}, expected RSA or ECDSA on P-256 or P-384`,
    );
  const published = await exportJWK(key.publicKey.object);
  const id = await calculateJwkThumbprint(published);
  return { id, algorithm, key, jwk: { ...published, kid: id, alg: algorithm, use: 'sig' } };
}

function algorithmFor({ algorithm }: PublicKey): TokenKey['algorithm'] | undefined {
  if (algorithm === 'ecdsa-p256') return 'ES256';
  if (algorithm === 'ecdsa-p384') return 'ES384';
  return algorithm.startsWith('rsa-') ? 'RS256' : undefined;
}
