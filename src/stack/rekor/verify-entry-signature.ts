// SPDX-License-Identifier: Apache-2.0
import { preAuthEncoding, type Envelope, type LogDigest, type PublicKey } from '../../trust/index.ts';
import type { SignatureScheme } from '../../trust/index.ts';
import { RekorError } from './rekor-error.ts';
import { signatureQueue } from '../signature/signature-queue.ts';

/**
 * Verifies a signature over what the log has the digest of. Ed25519 signs so in its prehashed form alone, over SHA-512.
 *
 * @throws RekorError `signature-invalid`
 */
export async function verifyOverDigest(key: PublicKey, digest: LogDigest, signature: Uint8Array): Promise<void> {
  if ((await signatureQueue.check({ key, over: { digest }, signature })) !== undefined) return;
  const hint = key.algorithm === 'ed25519' ? '; Ed25519 is taken as Ed25519ph over SHA-512' : '';
  throw new RekorError(
    'signature-invalid',
    `the signature does not hold: the ${key.algorithm} key of the entry did not make it over this ${digest.algorithm}${hint}`,
  );
}

/**
 * Who of these keys made which signature of an envelope; every signature must be by one of them, and every key must have made one.
 *
 * @returns for each signature, the place of its key and how it was made
 * @throws RekorError `signature-invalid`
 */
export async function matchSignatures(
  envelope: Envelope,
  keys: readonly PublicKey[],
): Promise<readonly { readonly key: number; readonly scheme: SignatureScheme }[]> {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  const used = new Set<number>();
  const matches = [];
  for (const [index, { sig }] of envelope.signatures.entries()) {
    const match = await findKey(keys, message, sig);
    if (match === undefined)
      throw new RekorError(
        'signature-invalid',
        `signature ${index + 1} of the envelope does not hold: none of the ${keys.length} keys of the entry made it`,
      );
    used.add(match.key);
    matches.push(match);
  }
  const idle = keys.findIndex((_, index) => !used.has(index));
  if (idle !== -1)
    throw new RekorError('signature-invalid', `key ${idle + 1} of the entry made no signature of the envelope`);
  return matches;
}

async function findKey(
  keys: readonly PublicKey[],
  message: Uint8Array,
  signature: Uint8Array,
): Promise<{ readonly key: number; readonly scheme: SignatureScheme } | undefined> {
  for (const [key, candidate] of keys.entries()) {
    const scheme = await signatureQueue.check({ key: candidate, over: { message }, signature });
    if (scheme !== undefined) return { key, scheme };
  }
  return undefined;
}
