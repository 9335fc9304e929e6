// SPDX-License-Identifier: Apache-2.0
import { WireError } from './wire-error.ts';

/** Standard base64 with padding. @see https://www.rfc-editor.org/rfc/rfc4648#section-4 */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * Decodes standard base64 and nothing else: no white space, no URL alphabet, no missing padding, no stray bits in the last group,
 * so that one value has one spelling.
 *
 * @param text the encoded text
 * @param what names the value in the error, for example `dsseEnvelope.payload`
 * @throws WireError `base64-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc4648#section-3.5
 */
export function decodeBase64(text: string, what: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what it does not know, so only the one spelling that encoding gives back is the right one.
  if (bytes.toString('base64') !== text) {
    throw new WireError('base64-malformed', `${what} is not base64 (standard alphabet, padded)`);
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
