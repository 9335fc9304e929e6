// SPDX-License-Identifier: Apache-2.0

/**
 * Why a certificate does not say who signed. Stable: programs tell them apart by these. In the order in which they are checked: where
 * several authorities are trusted, the answer is about the one that came farthest.
 */
export const CERTIFICATE_REJECTIONS = [
  /** no time is known at which the certificate could have been used */
  'time-missing',
  /** the certificate has a critical extension that nothing here understands */
  'certificate-extension-unknown',
  /** an authority, where one who signs artifacts was expected */
  'certificate-is-authority',
  /** its key may not make signatures */
  'certificate-key-usage',
  /** it was issued for another purpose */
  'certificate-purpose',
  /** its key is of a kind that is not used here */
  'certificate-key-unsupported',
  /** no trusted authority has the name of its issuer */
  'certificate-issuer-unknown',
  /** it names another key of the authority than the one that is trusted */
  'certificate-key-identifier',
  /** an authority has a critical extension, or name constraints, that nothing here understands */
  'authority-extension-unknown',
  /** an issuer that is not certified to be one */
  'authority-not-ca',
  /** an issuer whose key may not sign certificates */
  'authority-key-usage',
  /** more authorities below an issuer than it may have */
  'authority-path-length',
  /** an issuer for other purposes */
  'authority-purpose',
  /** the key of an issuer is of a kind that is not used here */
  'authority-key-unsupported',
  /** an authority was issued by another than the next in its chain */
  'authority-name-mismatch',
  /** an authority names another key than the next in its chain has */
  'authority-key-identifier',
  /** an authority is certified with MD5, SHA-1 or another signature that is not accepted */
  'authority-signature-algorithm',
  /** an authority was not signed by the next in its chain */
  'authority-signature-invalid',
  /** the certificate is signed with MD5, SHA-1 or another signature that is not accepted */
  'certificate-signature-algorithm',
  /** the certificate was not signed by the authority that it names */
  'certificate-signature-invalid',
  /** at that time the authority was not trusted */
  'authority-not-trusted',
  /** at that time a certificate of the authority was not valid yet */
  'authority-not-yet-valid',
  /** at that time a certificate of the authority had expired */
  'authority-expired',
  /** at that time the certificate was not valid yet */
  'certificate-not-yet-valid',
  /** at that time the certificate had expired */
  'certificate-expired',
  /** its Fulcio extensions are broken, or say two things */
  'claims-malformed',
  /** it says not who signed, or says it in a form that is not read here */
  'identity-missing',
  /** it names more than one who signed */
  'identity-ambiguous',
  /** it has no signed certificate timestamp */
  'sct-missing',
  /** its list of signed certificate timestamps cannot be read */
  'sct-malformed',
  /** no timestamp is by a certificate log that is trusted */
  'sct-log-unknown',
  /** the log's key was not trusted when the timestamp was made */
  'sct-log-not-trusted',
  /** a timestamp of another certificate, or by another key */
  'sct-signature-invalid',
  /** timestamps of fewer logs than are wanted */
  'sct-threshold',
] as const;

/** Why a certificate does not say who signed. */
export type CertificateRejectionCode = (typeof CERTIFICATE_REJECTIONS)[number];

/** Why, and what would have been right; for a person to read. Both texts are one line, safe to print. */
export interface CertificateRejection {
  readonly code: CertificateRejectionCode;
  readonly found: string;
  readonly expected: string;
}

export function rejection(code: CertificateRejectionCode, found: string, expected: string): CertificateRejection {
  return { code, found, expected };
}

/** Of several reasons, the one that came farthest: the nearest miss. */
export function nearestMiss(rejections: readonly CertificateRejection[]): CertificateRejection | undefined {
  const rank = ({ code }: CertificateRejection): number => CERTIFICATE_REJECTIONS.indexOf(code);
  return rejections.reduce<CertificateRejection | undefined>(
    (nearest, candidate) => (nearest === undefined || rank(candidate) > rank(nearest) ? candidate : nearest),
    undefined,
  );
}
