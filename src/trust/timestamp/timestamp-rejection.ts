// SPDX-License-Identifier: Apache-2.0
import type { CertificateRejection } from '../certificate/certificate-rejection.ts';

/**
 * Why a timestamp does not say when a signature was there. Stable: programs tell them apart by these. In the order in which they are
 * checked: where several authorities are trusted, the answer is about the one that came farthest.
 */
export const TIMESTAMP_REJECTIONS = [
  /** not a response as RFC 3161 has it */
  'timestamp-malformed',
  /** the authority has refused to give a time */
  'timestamp-refused',
  /** a digest with SHA-1 or another algorithm that is not accepted; or two that do not go together */
  'timestamp-algorithm',
  /** a time for something else than this signature */
  'timestamp-imprint-mismatch',
  /** an answer to another request */
  'timestamp-nonce-mismatch',
  /** what was signed is the digest of something else than the timestamp */
  'timestamp-content-mismatch',
  /** signed by no certificate of a trusted authority */
  'timestamp-signer-unknown',
  /** the signature of the timestamp does not hold */
  'timestamp-signature-invalid',
  /** the certificate that signed it is for something else, was not issued by the authority, or was not valid then; see `certificate` */
  'timestamp-certificate',
  /** at that time the authority was not trusted */
  'timestamp-authority-not-trusted',
] as const;

export type TimestampRejectionCode = (typeof TIMESTAMP_REJECTIONS)[number];

/** Why, and what would have been right; for a person to read. Both texts are one line, safe to print. */
export interface TimestampRejection {
  readonly code: TimestampRejectionCode;
  readonly found: string;
  readonly expected: string;
  /** what is wrong with the certificate, if it is that */
  readonly certificate?: CertificateRejection;
}

export function timestampRejection(code: TimestampRejectionCode, found: string, expected: string): TimestampRejection {
  return { code, found, expected };
}

/** Of two reasons, the one that came farthest: the nearest miss. */
export function nearerTimestampMiss(a: TimestampRejection | undefined, b: TimestampRejection): TimestampRejection {
  return a === undefined || TIMESTAMP_REJECTIONS.indexOf(b.code) > TIMESTAMP_REJECTIONS.indexOf(a.code) ? b : a;
}
