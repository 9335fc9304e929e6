// SPDX-License-Identifier: Apache-2.0
import { CodedError } from './coded-error.ts';

/** What can be wrong with bytes and connections, whatever they carry. */
export type WireErrorCode =
  | 'base64-malformed'
  | 'json-malformed'
  | 'json-too-deep'
  | 'too-large'
  | 'expression-malformed'
  // transport: nothing is known about the thing that was asked for
  | 'unreachable'
  | 'connection-reset'
  | 'timeout'
  | 'tls-failed'
  | 'address-refused'
  | 'redirect-refused'
  | 'protocol-violation';

/** An error of the ground floor. Transport codes never mean "not there". */
export class WireError extends CodedError<WireErrorCode> {}
