// SPDX-License-Identifier: Apache-2.0
import { decodeBase64 } from '../../wire/index.ts';

/**
 * Base64 in the standard or the URL alphabet, with or without padding: what ProtoJSON and DSSE tell a reader to accept. White space,
 * a mixture of the alphabets and stray bits are still refused.
 *
 * @throws WireError `base64-malformed`
 * @see https://protobuf.dev/programming-guides/json/ (`bytes`)
 */
export function decodeAnyBase64(text: string, what: string): Uint8Array {
  const other = text.includes('-') || text.includes('_');
  const standard = other && !/[+/]/.test(text) ? text.replaceAll('-', '+').replaceAll('_', '/') : text;
  const missing = standard.endsWith('=') ? 0 : (4 - (standard.length % 4)) % 4;
  return decodeBase64(missing === 3 ? standard : standard + '='.repeat(missing), what);
}
