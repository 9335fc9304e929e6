// SPDX-License-Identifier: Apache-2.0
import type { PublicKey } from '../key/public-key.ts';
import {
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeFields,
  encodeKeyUsage,
  encodeSubjectKeyIdentifier,
  encodeTbs,
  keyIdentifier,
  signTbs,
  unissuable,
  type CertificateSigner,
} from './build-certificate.ts';
import { PURPOSES, type Purpose } from './certificate-authority.ts';
import { certificateKey, decodeCertificate, type Certificate } from './certificate.ts';
import { encodeName, type DistinguishedName } from './distinguished-name.ts';
import { verifyWith } from './signature-algorithm.ts';
import { describePeriod } from './validity-period.ts';

/** What an authority, or one who gives timestamps, is to be certified as. */
export interface AuthorityRequest {
  readonly name: DistinguishedName;
  readonly publicKey: PublicKey;
  /** at most 20 octets; see `randomSerialNumber` */
  readonly serialNumber: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Who signs, and as whom. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly signer: CertificateSigner;
}

/**
 * Certifies a root: itself, for whatever purpose.
 *
 * @param pathLength how many authorities may stand between it and a leaf
 * @throws TrustError `certificate-unissuable`; what the signer throws
 * @see https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md
 */
export async function issueRoot(
  request: AuthorityRequest,
  pathLength: number,
  signer: CertificateSigner,
): Promise<Certificate> {
  const identifier = keyIdentifier(request.publicKey.spki);
  const extensions = [
    encodeBasicConstraints({ ca: true, pathLength }),
    encodeKeyUsage('keyCertSign', 'cRLSign'),
    encodeSubjectKeyIdentifier(identifier),
  ];
  return issue(request, extensions, signer);
}

/** Certifies an authority that issues leaves for one purpose. @throws TrustError `certificate-unissuable`; what the signer throws */
export async function issueIntermediate(
  request: AuthorityRequest,
  purpose: Purpose,
  issuer: Issuer,
): Promise<Certificate> {
  const extensions = [
    encodeBasicConstraints({ ca: true, pathLength: 0 }),
    encodeKeyUsage('keyCertSign', 'cRLSign'),
    encodeExtendedKeyUsage(PURPOSES[purpose]),
    ...identifiers(request.publicKey, issuer.certificate),
  ];
  return issue(request, extensions, issuer.signer, issuer.certificate);
}

/**
 * Certifies one who gives timestamps.
 *
 * @throws TrustError `certificate-unissuable`; what the signer throws
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.3
 */
export async function issueTimestampCertificate(request: AuthorityRequest, issuer: Issuer): Promise<Certificate> {
  const extensions = [
    encodeBasicConstraints({ ca: false }),
    encodeKeyUsage('digitalSignature'),
    encodeExtendedKeyUsage(PURPOSES['time-stamping'], true),
    ...identifiers(request.publicKey, issuer.certificate),
  ];
  return issue(request, extensions, issuer.signer, issuer.certificate);
}

/** The identifiers of the key that is certified and of the one that certifies. */
export function identifiers(publicKey: PublicKey, issuer: Certificate): readonly Uint8Array[] {
  return [
    encodeSubjectKeyIdentifier(keyIdentifier(publicKey.spki)),
    encodeAuthorityKeyIdentifier(issuer.subjectKeyIdentifier ?? keyIdentifier(issuer.spki)),
  ];
}

/** @throws TrustError `certificate-unissuable` if the certificate would outlive who signs it: then its chain would not hold */
export function requireWithin(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  issuer: Certificate,
): void {
  if (notBefore >= issuer.notBefore && notAfter <= issuer.notAfter) return;
  const asked = describePeriod({ start: notBefore, end: notAfter });
  const has = describePeriod({ start: issuer.notBefore, end: issuer.notAfter });
  throw unissuable(`a life ${asked}, expected one within its issuer's, ${has}`);
}

// Without an issuer it certifies itself.
async function issue(
  request: AuthorityRequest,
  extensions: readonly Uint8Array[],
  signer: CertificateSigner,
  issuer?: Certificate,
): Promise<Certificate> {
  const subject = encodeName(request.name);
  if (subject.length === 2) throw unissuable('an empty name, expected an organization or common name');
  if (issuer !== undefined) requireWithin(request, issuer);
  const { serialNumber, notBefore, notAfter, publicKey } = request;
  const fields = {
    serialNumber,
    issuer: issuer?.subject ?? subject,
    subject,
    notBefore,
    notAfter,
    spki: publicKey.spki,
  };
  const tbs = encodeTbs(encodeFields(fields, signer.algorithm), extensions);
  const certificate = decodeCertificate(await signTbs(tbs, signer), 'the new certificate');
  const key = issuer === undefined ? publicKey : certificateKey(issuer, 'the issuer');
  if (!verifyWith(signer.algorithm, key, tbs, certificate.signature))
    throw unissuable("a signer whose key is not its issuer's");
  return certificate;
}
