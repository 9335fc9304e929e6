// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { Certificate } from '../certificate/certificate.ts';
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { isTimestampDigest, readDigestAlgorithm } from './digest-algorithm.ts';

// The signed attribute that says which certificate a signature is by, so that nobody can put another one for the same key in its place.

/** The certificate that signed, as the signature itself names it. */
export interface SigningCertificateId {
  /** as node:crypto names it; SHA-1 in the first version of the attribute, where it tells certificates apart and proves nothing */
  readonly algorithm: string;
  readonly hash: Uint8Array;
  readonly issuerAndSerial?: IssuerAndSerial;
}

/** What names a certificate in CMS. @see https://www.rfc-editor.org/rfc/rfc5652#section-10.2.4 */
export interface IssuerAndSerial {
  /** DER Name */
  readonly issuer: Uint8Array;
  readonly serialNumber: Uint8Array;
}

/** Context tag of a directoryName in GeneralNames. */
const DIRECTORY_NAME = 0xa4;
const WHAT = 'the signing certificate of the timestamp';

/**
 * Reads SigningCertificate (RFC 2634 section 5.4) or SigningCertificateV2; the first certificate named is the one that signed.
 *
 * @throws TrustError `der-malformed`, `timestamp-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5035#section-3
 */
export function decodeSigningCertificate(value: Uint8Array, version: 1 | 2): SigningCertificateId {
  const outer = new DerReader(value, WHAT);
  const attribute = outer.sequence();
  outer.end();
  const certificates = attribute.sequence();
  const id = certificates.sequence();
  const algorithm = version === 1 ? 'sha1' : id.peek() === DerTag.sequence ? readDigestAlgorithm(id) : 'sha256';
  if (version === 2 && !isTimestampDigest(algorithm))
    throw new TrustError('timestamp-malformed', `${WHAT} is named by its ${algorithm}, expected SHA-2`);
  const digest = id.read(DerTag.octetString);
  const issuerAndSerial = id.peek() === DerTag.sequence ? readIssuerSerial(id.sequence()) : undefined;
  id.end();
  // The certificates above it, and policies, may follow; the trusted chain is what is believed.
  return { algorithm, hash: digest, ...(issuerAndSerial === undefined ? {} : { issuerAndSerial }) };
}

/** SigningCertificateV2 of one certificate, by SHA-256, which is the default and so left out. */
export function encodeSigningCertificate(certificate: Certificate): Uint8Array {
  const issuer = der.sequence(der.value(DIRECTORY_NAME, certificate.issuer));
  const issuerSerial = der.sequence(issuer, der.integer(certificate.serialNumber));
  const id = der.sequence(der.octetString(hash('sha256', certificate.der, 'buffer')), issuerSerial);
  return der.sequence(der.sequence(id));
}

/** Whether this is the certificate that was meant. */
export function isSigningCertificate(certificate: Certificate, id: SigningCertificateId): boolean {
  return (
    sameOctets(hash(id.algorithm, certificate.der, 'buffer'), id.hash) &&
    (id.issuerAndSerial === undefined || isIssuedAs(certificate, id.issuerAndSerial))
  );
}

export function isIssuedAs(certificate: Certificate, { issuer, serialNumber }: IssuerAndSerial): boolean {
  return sameOctets(certificate.issuer, issuer) && sameOctets(certificate.serialNumber, serialNumber);
}

function readIssuerSerial(issuerSerial: DerReader): IssuerAndSerial {
  const names = issuerSerial.sequence();
  const name = names.enter(DIRECTORY_NAME);
  const issuer = name.element(DerTag.sequence);
  name.end();
  names.end();
  const serialNumber = issuerSerial.integerOctets();
  issuerSerial.end();
  return { issuer, serialNumber };
}
