// SPDX-License-Identifier: Apache-2.0
import { verifyDigest, verifySignatureOnce } from '../../trust/index.ts';
import type { KeyOctets, LogDigest, SignatureScheme } from '../../trust/index.ts';

/** A signature, the key that is to have made it, and what it is over: octets, or all that is known of them. */
export interface SignatureCheck {
  readonly key: KeyOctets;
  readonly over: { readonly message: Uint8Array } | { readonly digest: LogDigest };
  readonly signature: Uint8Array;
}

/** How it was made; `undefined` if this key did not make it. */
export async function checkSignature({ key, over, signature }: SignatureCheck): Promise<SignatureScheme | undefined> {
  return 'digest' in over
    ? await verifyDigest(key, over.digest, signature)
    : await verifySignatureOnce(key, over.message, signature);
}
