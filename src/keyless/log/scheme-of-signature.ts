// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  certificateKey,
  preAuthEncoding,
  verifySignature,
  type LogDigestAlgorithm,
  type LoggedSignature,
  type PublicKey,
  type SignatureScheme,
} from '../../trust/index.ts';
import { KeylessError } from '../error.ts';

/** How a signature was made, and the digest by which a log is told what it is over. */
export interface MadeSignature {
  readonly key: PublicKey;
  readonly scheme: SignatureScheme;
  readonly digest: { readonly algorithm: LogDigestAlgorithm; readonly bytes: Uint8Array };
}

/**
 * Finds out how a signature was made, by verifying it: a log would refuse it otherwise, in words that help nobody.
 *
 * @throws KeylessError `signature-unloggable` if it is not the key's, or only the digest of what was signed is known
 */
export async function schemeOfSignature({ signature, verifier, content }: LoggedSignature): Promise<MadeSignature> {
  const key = verifier.kind === 'public-key' ? verifier.key : certificateKey(verifier.certificate, 'the certificate');
  if (content.kind === 'digest')
    throw new KeylessError(
      'signature-unloggable',
      'only the digest of what was signed is known, and a log is told of no other',
    );
  const message =
    content.kind === 'bytes' ? content.bytes : preAuthEncoding(content.envelope.payloadType, content.envelope.payload);
  const scheme = await verifySignature(key, message, signature);
  if (scheme === undefined)
    throw new KeylessError(
      'signature-unloggable',
      `the signature is not one by key ${key.hint}, so that no log takes it`,
    );
  const algorithm = digestOf(scheme);
  return { key, scheme, digest: { algorithm, bytes: hash(algorithm, message, 'buffer') } };
}

function digestOf(scheme: SignatureScheme): LogDigestAlgorithm {
  if (scheme.startsWith('ed25519') || scheme.endsWith('-sha512')) return 'sha512';
  return scheme.endsWith('-sha384') ? 'sha384' : 'sha256';
}
