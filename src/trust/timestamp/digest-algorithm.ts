// SPDX-License-Identifier: Apache-2.0
import { DerTag, type DerReader } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';

/** The digests that are used in timestamps here, by the names of node:crypto. */
export type TimestampDigest = 'sha256' | 'sha384' | 'sha512';

// RFC 5754 section 2.
const OIDS: Readonly<Record<TimestampDigest, string>> = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
};
const NAMES: ReadonlyMap<string, string> = new Map([
  ...Object.entries(OIDS).map(([name, oid]) => [oid, name] as const),
  ['1.3.14.3.2.26', 'SHA-1'],
  ['1.2.840.113549.2.5', 'MD5'],
  ['2.16.840.1.101.3.4.2.4', 'SHA-224'],
]);

/** A digest, and what it was made with. */
export interface MessageImprint {
  /** a `TimestampDigest`, or a name or object identifier of one that is not accepted */
  readonly algorithm: string;
  readonly bytes: Uint8Array;
}

/** In words. */
export const ACCEPTED_DIGESTS = 'SHA-256, SHA-384 or SHA-512';

/** Whether this is one of the digests that are used here. */
export function isTimestampDigest(algorithm: string): algorithm is TimestampDigest {
  return Object.hasOwn(OIDS, algorithm);
}

/**
 * Reads the AlgorithmIdentifier of a digest: its name here, or the object identifier of one without. Parameters may be NULL or absent.
 *
 * @throws TrustError `der-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5754#section-2
 */
export function readDigestAlgorithm(parent: DerReader): string {
  const identifier = parent.sequence();
  const oid = identifier.oid();
  if (identifier.peek() === DerTag.null) identifier.null();
  identifier.end();
  return NAMES.get(oid) ?? oid;
}

/** With NULL as its parameters, which every reader takes. */
export function encodeDigestAlgorithm(algorithm: TimestampDigest): Uint8Array {
  return der.sequence(der.oid(OIDS[algorithm]), der.nullValue());
}

/** Reads a MessageImprint. @throws TrustError `der-malformed` */
export function readMessageImprint(parent: DerReader): MessageImprint {
  const imprint = parent.sequence();
  const algorithm = readDigestAlgorithm(imprint);
  const bytes = imprint.read(DerTag.octetString);
  imprint.end();
  return { algorithm, bytes };
}

export function encodeMessageImprint(algorithm: TimestampDigest, bytes: Uint8Array): Uint8Array {
  return der.sequence(encodeDigestAlgorithm(algorithm), der.octetString(bytes));
}

/** octets of a digest */
export function digestBytes(algorithm: TimestampDigest): number {
  return Number(algorithm.slice('sha'.length)) / 8;
}
