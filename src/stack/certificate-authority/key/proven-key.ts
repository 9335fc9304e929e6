// SPDX-License-Identifier: Apache-2.0
import { verify } from 'node:crypto';
import {
  decodeCertificateRequest,
  verifyCertificateRequest,
  verifySignature,
  type CertificateRequest,
  type PublicKey,
} from '../../../trust/index.ts';
import { CertificateRefusal } from '../refusal.ts';
import { keyRefusal, readClientKey, requireSoundKey, type ClientKeyKind } from './client-key.ts';

/** A key, and what shows that whoever asks holds it. */
export type KeyRequest =
  /** the key as PEM or DER, and a signature over the token's challenge */
  | { readonly kind: 'key'; readonly content: Uint8Array; readonly proof: Uint8Array }
  /** PKCS#10 as PEM or DER, which carries its own signature; nothing else in it is read */
  | { readonly kind: 'csr'; readonly content: Uint8Array };

/**
 * The key that is to be certified, once it is shown that it is sound and that whoever asks holds it.
 *
 * @param challenge what a signature beside the key is over
 * @throws CertificateRefusal `key-refused`, `proof-refused`
 */
export async function provenKey(
  request: KeyRequest,
  challenge: string,
  kinds: readonly ClientKeyKind[],
): Promise<PublicKey> {
  if (request.kind === 'csr') {
    const csr = readRequest(request.content);
    requireSoundKey(csr.publicKey, kinds);
    if (verifyCertificateRequest(csr)) return csr.publicKey;
    throw new CertificateRefusal('proof-refused', 'the certificate signing request is not signed by the key in it');
  }
  const key = readClientKey(request.content);
  requireSoundKey(key, kinds);
  if (await verifies(key, Buffer.from(challenge), request.proof)) return key;
  throw new CertificateRefusal(
    'proof-refused',
    'the signature supplied in the request could not be verified: expected one by the key over the e-mail address, or else the subject, of the identity token',
  );
}

/** The digest that a client of today uses with a key. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  'ecdsa-p384': 'sha384',
  'ecdsa-p521': 'sha512',
  ed25519: null,
};

/** First as nearly all clients sign, beside the event loop: this is the dearest step of a request. Then as older ones do. */
async function verifies(key: PublicKey, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const digest = DIGESTS[key.algorithm];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // As it is written, so that no object of a key that is used once has to be collected.
  const inline = { key: Buffer.from(key.spki), format: 'der', type: 'spki' } as const;
  // A library that fails at a signature has not verified it.
  verify(digest === undefined ? 'sha256' : digest, message, inline, signature, (error, holds) =>
    resolve(!(error instanceof Error) && holds),
  );
  return (await promise) || (await verifySignature(key, message, signature)) !== undefined;
}

function readRequest(content: Uint8Array): CertificateRequest {
  try {
    return decodeCertificateRequest(content, 'the request');
  } catch (cause) {
    throw keyRefusal('the certificate signing request could not be parsed', cause);
  }
}
