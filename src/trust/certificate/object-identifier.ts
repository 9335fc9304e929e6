// SPDX-License-Identifier: Apache-2.0

/** Extensions of certificates. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1 */
export const ExtensionOid = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  /** RFC 6962 section 3.3 */
  sctList: '1.3.6.1.4.1.11129.2.4.2',
  /** RFC 6962 section 3.1: makes of a certificate one that nobody may accept */
  poison: '1.3.6.1.4.1.11129.2.4.3',
} as const;

/** Values of the extended key usage. @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12 */
export const PurposeOid = {
  any: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

/** Fulcio's arc. @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md */
export const FULCIO_ARC = '1.3.6.1.4.1.57264.1';

/** The type of Fulcio's `otherName`: a username. */
export const FULCIO_USERNAME: string = `${FULCIO_ARC}.7`;
