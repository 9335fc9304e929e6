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
  | 'protocol-violation'
  // a server: what a client sends, and what keeps it from starting
  | 'body-ended'
  | 'body-slow'
  | 'listen-failed'
  | 'tls-malformed';

/** An error of the ground floor. Transport codes never mean "not there". */
export class WireError extends CodedError<WireErrorCode> {}
