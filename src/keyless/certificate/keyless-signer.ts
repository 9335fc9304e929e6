// SPDX-License-Identifier: Apache-2.0
import {
  generatePrivateKey,
  keySigner,
  loggedScheme,
  type Certificate,
  type KeyAlgorithm,
  type PrivateKey,
  type Signer,
} from '../../trust/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import type { IdentityToken } from '../token/identity-token.ts';
import { requestCertificate, type CertificateAuthorityService } from './request-certificate.ts';

/** A signer whose key an authority has certified. */
export interface KeylessSigner extends Signer {
  readonly certificate: readonly [Uint8Array, ...Uint8Array[]];
  /** the first of them, read */
  readonly leaf: Certificate;
}

/** What a signer is made of. */
export interface KeylessSignerOptions {
  readonly authority: CertificateAuthorityService;
  readonly token: IdentityToken;
  readonly http: HttpClient;
  /** a key that one has already; a new one that is never written anywhere unless told */
  readonly key?: PrivateKey;
  /** of a new key; ECDSA on P-256 unless told */
  readonly algorithm?: KeyAlgorithm;
}

/**
 * Makes a key, proves to a certificate authority that it belongs to whoever the token names, and signs with it as long as the certificate
 * is good: some minutes. The key is in this object and nowhere else.
 *
 * @throws as `requestCertificate`
 * @example
 * const signer = await openKeylessSigner({ authority: { url: 'https://fulcio.example' }, token, http: new HttpClient() });
 * const bundle = await signBundle(statement, signer, witnesses);
 */
export async function openKeylessSigner(options: KeylessSignerOptions): Promise<KeylessSigner> {
  const { authority, token, http } = options;
  const key = options.key ?? (await generatePrivateKey(options.algorithm ?? 'ecdsa-p256'));
  const { publicKey } = key;
  const scheme = loggedScheme(publicKey);
  // Fulcio verifies proofs by the digest of the curve, as logs do, and Ed25519 in its pure form, as logs do not.
  const prover = keySigner(key, scheme === 'ed25519ph' ? 'ed25519' : scheme);
  const proof = await prover.sign(new TextEncoder().encode(token.challenge));
  const [leaf, ...above] = await requestCertificate(authority, { token, publicKey, proof }, http);
  return { ...keySigner(key, scheme), certificate: [leaf.der, ...above.map(({ der }) => der)], leaf };
}
