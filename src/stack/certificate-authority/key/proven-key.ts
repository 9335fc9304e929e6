// SPDX-License-Identifier: Apache-2.0
import {
  decodeCertificateRequest,
  verifyCertificateRequest,
  type CertificateRequest,
  type PublicKey,
} from '../../../trust/index.ts';
import { signatureQueue } from '../../signature/signature-queue.ts';
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
  const over = { message: Buffer.from(challenge) };
  if ((await signatureQueue.check({ key, over, signature: request.proof })) !== undefined) return key;
  throw new CertificateRefusal(
    'proof-refused',
    'the signature supplied in the request could not be verified: expected one by the key over the e-mail address, or else the subject, of the identity token',
  );
}

function readRequest(content: Uint8Array): CertificateRequest {
  try {
    return decodeCertificateRequest(content, 'the request');
  } catch (cause) {
    throw keyRefusal('the certificate signing request could not be parsed', cause);
  }
}
