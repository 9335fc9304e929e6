// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { readTimestampToken, type TimestampToken } from './timestamp-token.ts';

/** What an authority answered. @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2 */
export type TimestampResponse =
  | { readonly kind: 'granted'; readonly token: TimestampToken }
  | {
      readonly kind: 'refused';
      /** why, by name; none if it does not say */
      readonly failures: readonly TimestampFailure[];
      /** why, in its words */
      readonly text: string;
    };

/** Why an authority refuses, by the bits of PKIFailureInfo. */
const FAILURES = {
  /** a digest that it does not take */
  badAlg: 0,
  /** what it does not do */
  badRequest: 2,
  /** a request that cannot be read */
  badDataFormat: 5,
  /** its clock cannot be trusted now */
  timeNotAvailable: 14,
  /** a policy that it does not have */
  unacceptedPolicy: 15,
  /** an extension that it does not know */
  unacceptedExtension: 16,
  /** something more was asked for than it has */
  addInfoNotAvailable: 17,
  /** it cannot sign now */
  systemFailure: 25,
} as const;

export type TimestampFailure = keyof typeof FAILURES;

/** A response with the certificates of its authority has less than ten thousand. */
const MAX_BYTES = 256 * 1024;
const GRANTED = 0;
const GRANTED_WITH_MODIFICATIONS = 1;
const REJECTION = 2;
const MAX_STATUS = 5;
const MAX_TEXTS = 16;
const WHAT = 'the timestamp response';

/** @throws TrustError `timestamp-malformed`, `der-malformed` */
export function decodeTimestampResponse(bytes: Uint8Array): TimestampResponse {
  if (bytes.byteLength > MAX_BYTES) throw malformed(`${bytes.byteLength} octets, at most ${MAX_BYTES} are read`);
  const outer = new DerReader(bytes, WHAT);
  const response = outer.sequence();
  outer.end();
  const statusInfo = response.sequence();
  const status = statusInfo.integer();
  if (status > MAX_STATUS) throw malformed(`the status ${status}`);
  const text = statusInfo.peek() === DerTag.sequence ? readTexts(statusInfo.sequence()) : '';
  const failures = statusInfo.peek() === DerTag.bitString ? readFailures(statusInfo.read(DerTag.bitString)) : [];
  statusInfo.end();
  if (status !== GRANTED && status !== GRANTED_WITH_MODIFICATIONS) {
    response.end();
    return { kind: 'refused', failures, text };
  }
  const token = readTimestampToken(response);
  response.end();
  return { kind: 'granted', token };
}

/** A response that grants. @param token DER TimeStampToken */
export function encodeTimestampResponse(token: Uint8Array): Uint8Array {
  return der.sequence(der.sequence(der.integer(GRANTED)), token);
}

/** A response that refuses. @param text why, for a person @throws TrustError `der-unencodable` */
export function encodeTimestampRefusal(failure: TimestampFailure, text: string): Uint8Array {
  const failInfo = der.namedBits(1 << FAILURES[failure]);
  return der.sequence(der.sequence(der.integer(REJECTION), der.sequence(der.utf8String(text)), failInfo));
}

function readTexts(list: DerReader): string {
  const texts: string[] = [];
  while (list.peek() !== undefined) {
    if (texts.length === MAX_TEXTS) throw malformed(`more than ${MAX_TEXTS} texts`);
    texts.push(list.text(DerTag.utf8String));
  }
  return printable(texts.join('; '), 200);
}

function readFailures(bits: Uint8Array): readonly TimestampFailure[] {
  const isSet = (bit: number): boolean => (((bits[1 + (bit >> 3)] ?? 0) >> (7 - (bit & 7))) & 1) === 1;
  return Object.entries(FAILURES).flatMap(([name, bit]) => (isSet(bit) ? [name as TimestampFailure] : []));
}

function malformed(found: string): TrustError {
  return new TrustError('timestamp-malformed', `${WHAT} has ${found}`);
}
