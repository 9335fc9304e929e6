// SPDX-License-Identifier: Apache-2.0
import { BUNDLE_V03, type Bundle } from './bundle/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from './bundle/envelope.ts';
import type { Signer } from './key/signer.ts';

/**
 * Signs an in-toto statement and packs it into a bundle with key material.
 *
 * @param statementPayload the statement as JSON; these bytes are what is signed
 * @throws what the signer throws
 * @example
 * const bundle = await signBundle(encodeSignStatement({ algorithm: 'sha256', hex }, {}), keySigner(key));
 */
export async function signBundle(statementPayload: Uint8Array, signer: Signer): Promise<Bundle> {
  const payload = new Uint8Array(statementPayload); // so that what is packed is what was signed, whatever the caller does meanwhile
  const sig = await signer.sign(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, payload));
  return {
    mediaType: BUNDLE_V03,
    material: { kind: 'public-key', hint: signer.publicKey.hint },
    content: { kind: 'dsse', envelope: { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] } },
    logEntries: [],
    timestamps: [],
  };
}
