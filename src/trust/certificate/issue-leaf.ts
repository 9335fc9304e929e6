// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import * as der from '../der/der-writer.ts';
import type { PublicKey } from '../key/public-key.ts';
import {
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeFields,
  encodeKeyUsage,
  encodeSubjectAltName,
  encodeTbs,
  signTbs,
  type CertificateSigner,
} from './build-certificate.ts';
import type { Certificate } from './certificate.ts';
import { encodeName } from './distinguished-name.ts';
import { encodeFulcioClaims, type FulcioClaims } from './fulcio-claims.ts';
import type { GeneralName } from './general-name.ts';
import { identifiers, requireWithin } from './issue-authority.ts';
import { ExtensionOid, PurposeOid } from './object-identifier.ts';
import { encodeSctList, type CertificateLogEntry, type SignedCertificateTimestamp } from './sct.ts';

/** Whom to certify, as what, and how long. */
export interface LeafRequest {
  readonly publicKey: PublicKey;
  /** the one name; Fulcio gives e-mail addresses, URIs and usernames */
  readonly name: Exclude<GeneralName, { kind: 'other' }>;
  /** with `issuer` at least */
  readonly claims: FulcioClaims;
  /** at most 20 octets; see `randomSerialNumber` */
  readonly serialNumber: Uint8Array;
  readonly notBefore: Date;
  /** Fulcio's live ten minutes */
  readonly notAfter: Date;
}

/** A leaf before a log has seen it: encoded once, then signed as precertificate, as log entry and as certificate. */
export interface LeafDraft {
  readonly fields: Uint8Array;
  readonly extensions: readonly Uint8Array[];
  /** what a certificate log signs; see `signSct` */
  readonly entry: CertificateLogEntry;
}

/**
 * Encodes a leaf by Fulcio's profile, still without timestamps and signature.
 *
 * @throws TrustError `certificate-unissuable`, `der-unencodable`
 * @see https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md
 * @example
 * const draft = draftLeaf(request, issuer.certificate, issuer.signer.algorithm);
 * const sct = await signSct(logKey, draft.entry, Date.now());
 * const leaf = await finishLeaf(draft, [sct], issuer.signer);
 */
export function draftLeaf(
  request: LeafRequest,
  issuer: Certificate,
  algorithm: CertificateSigner['algorithm'],
): LeafDraft {
  requireWithin(request, issuer);
  const { serialNumber, notBefore, notAfter, publicKey, name, claims } = request;
  const fields = encodeFields(
    { serialNumber, issuer: issuer.subject, subject: encodeName({}), notBefore, notAfter, spki: publicKey.spki },
    algorithm,
  );
  const extensions = [
    encodeKeyUsage('digitalSignature'),
    encodeExtendedKeyUsage(PurposeOid.codeSigning),
    ...identifiers(publicKey, issuer),
    encodeSubjectAltName(name),
    ...encodeFulcioClaims(claims),
  ];
  const issuerKeyHash = hash('sha256', issuer.spki, 'buffer');
  return { fields, extensions, entry: { kind: 'precertificate', issuerKeyHash, tbs: encodeTbs(fields, extensions) } };
}

/**
 * The precertificate that is submitted to a log: DER. The poison in it makes it useless as a certificate.
 *
 * @throws what the signer throws
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.1
 */
export async function signPrecertificate(draft: LeafDraft, signer: CertificateSigner): Promise<Uint8Array> {
  const poison = encodeExtension(ExtensionOid.poison, der.nullValue(), true);
  return signTbs(encodeTbs(draft.fields, [...draft.extensions, poison]), signer);
}

/**
 * The finished certificate, with its timestamps as the last extension: DER.
 *
 * @throws what the signer throws
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.3
 */
export async function finishLeaf(
  draft: LeafDraft,
  scts: readonly SignedCertificateTimestamp[],
  signer: CertificateSigner,
): Promise<Uint8Array> {
  const list = scts.length === 0 ? [] : [encodeSctList(scts)];
  return signTbs(encodeTbs(draft.fields, [...draft.extensions, ...list]), signer);
}
