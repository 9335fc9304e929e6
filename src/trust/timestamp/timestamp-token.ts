// SPDX-License-Identifier: Apache-2.0
import { readSignatureAlgorithm } from '../certificate/signature-algorithm.ts';
import { DerReader, DerTag } from '../der/der-reader.ts';
import { TrustError } from '../error.ts';
import { readDigestAlgorithm } from './digest-algorithm.ts';
import { decodeSigningCertificate, type IssuerAndSerial, type SigningCertificateId } from './signing-certificate.ts';
import { decodeTimestampInfo, type TimestampInfo } from './timestamp-info.ts';

/**
 * A timestamp as its authority signed it: CMS SignedData with one signer. Nothing has been verified.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2
 * @see https://www.rfc-editor.org/rfc/rfc5652#section-5
 */
export interface TimestampToken {
  readonly info: TimestampInfo;
  /** the octets of `info` */
  readonly content: Uint8Array;
  /** DER; whoever had it in hand may have put some in */
  readonly certificates: readonly Uint8Array[];
  readonly signer: TimestampSigner;
}

export interface TimestampSigner {
  readonly id:
    | ({ readonly kind: 'issuer-and-serial' } & IssuerAndSerial)
    | { readonly kind: 'key'; readonly identifier: Uint8Array };
  /** a `TimestampDigest`, or a name or object identifier of one that is not accepted */
  readonly digestAlgorithm: string;
  /** the attributes, as DER SET: what is signed */
  readonly attributes: Uint8Array;
  /** from the attributes: digest of `content` */
  readonly messageDigest: Uint8Array;
  /** from the attributes; two if both versions are there */
  readonly certificates: readonly [SigningCertificateId, ...SigningCertificateId[]];
  /** a `SignatureAlgorithm`, or a name or object identifier of one that is not accepted */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

/** Object identifiers of CMS and of its attributes. */
export const CmsOid = {
  signedData: '1.2.840.113549.1.7.2',
  timestampInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

const MAX_CERTIFICATES = 16;
const MAX_ATTRIBUTES = 32;
// Context tags of SignedData and SignerInfo.
const CERTIFICATES = 0xa0;
const REVOCATIONS = 0xa1;
const SUBJECT_KEY = 0x80;
const SIGNED_ATTRIBUTES = 0xa0;
const UNSIGNED_ATTRIBUTES = 0xa1;
const MAX_VERSION = 5;
const WHAT = 'the timestamp';

/**
 * Reads a TimeStampToken, strictly: DER throughout, one signer, the attributes that RFC 3161 and RFC 5816 demand each once.
 *
 * @throws TrustError `timestamp-malformed`, `der-malformed`
 */
export function readTimestampToken(parent: DerReader): TimestampToken {
  const contentInfo = parent.sequence();
  requireOid(contentInfo.oid(), CmsOid.signedData, 'signed data');
  const explicit = contentInfo.enter(DerTag.context0);
  const signedData = explicit.sequence();
  explicit.end();
  contentInfo.end();
  readVersion(signedData);
  for (const algorithms = signedData.enter(DerTag.set); algorithms.peek() !== undefined;)
    readDigestAlgorithm(algorithms);
  const content = readContent(signedData.sequence());
  const certificates = readCertificates(signedData);
  if (signedData.peek() === REVOCATIONS) signedData.element();
  const signers = signedData.enter(DerTag.set);
  signedData.end();
  const signer = readSigner(signers.sequence());
  if (signers.peek() !== undefined) throw malformed('more than one signer');
  return { info: decodeTimestampInfo(content), content, certificates, signer };
}

function readContent(encapsulated: DerReader): Uint8Array {
  requireOid(encapsulated.oid(), CmsOid.timestampInfo, 'the content of a timestamp');
  const explicit = encapsulated.enter(DerTag.context0);
  const content = explicit.read(DerTag.octetString);
  explicit.end();
  encapsulated.end();
  return content;
}

// Other forms than X.509 (attribute certificates) have other tags, and nobody to believe them.
function readCertificates(signedData: DerReader): readonly Uint8Array[] {
  if (signedData.peek() !== CERTIFICATES) return [];
  const certificates: Uint8Array[] = [];
  for (const set = signedData.enter(CERTIFICATES); set.peek() !== undefined;) {
    if (certificates.length === MAX_CERTIFICATES) throw malformed(`more than ${MAX_CERTIFICATES} certificates`);
    const isCertificate = set.peek() === DerTag.sequence;
    const certificate = set.element();
    if (isCertificate) certificates.push(certificate);
  }
  return certificates;
}

function readSigner(signer: DerReader): TimestampSigner {
  readVersion(signer);
  const id = readSignerId(signer);
  const digestAlgorithm = readDigestAlgorithm(signer);
  // Section 5.4: signed under the tag of a SET, which is not the one that they stand under.
  const attributes = Uint8Array.from(signer.element(SIGNED_ATTRIBUTES));
  attributes[0] = DerTag.set;
  const signatureAlgorithm = readSignatureAlgorithm(signer.sequence());
  const signature = signer.read(DerTag.octetString);
  if (signer.peek() === UNSIGNED_ATTRIBUTES) signer.element();
  signer.end();
  return { id, digestAlgorithm, attributes, ...readAttributes(attributes), signatureAlgorithm, signature };
}

function readSignerId(signer: DerReader): TimestampSigner['id'] {
  if (signer.peek() === SUBJECT_KEY) return { kind: 'key', identifier: signer.read(SUBJECT_KEY) };
  const named = signer.sequence();
  const issuer = named.element(DerTag.sequence);
  const serialNumber = named.integerOctets();
  named.end();
  return { kind: 'issuer-and-serial', issuer, serialNumber };
}

function readAttributes(set: Uint8Array): Pick<TimestampSigner, 'messageDigest' | 'certificates'> {
  const values = new Map<string, Uint8Array>();
  for (const attributes = new DerReader(set, WHAT).enter(DerTag.set); attributes.peek() !== undefined;) {
    if (values.size === MAX_ATTRIBUTES) throw malformed(`more than ${MAX_ATTRIBUTES} attributes`);
    const attribute = attributes.sequence();
    const oid = attribute.oid();
    const one = attribute.enter(DerTag.set);
    const value = one.element();
    attribute.end();
    if (values.has(oid)) throw malformed(`the attribute ${oid} twice`);
    if (one.peek() !== undefined && KNOWN.has(oid)) throw malformed(`the attribute ${oid} with several values`);
    values.set(oid, value);
  }
  const contentType = new DerReader(required(values, CmsOid.contentType, 'content type'), WHAT);
  requireOid(contentType.oid(), CmsOid.timestampInfo, 'the content type of a timestamp');
  const messageDigest = new DerReader(required(values, CmsOid.messageDigest, 'digest'), WHAT).read(DerTag.octetString);
  return { messageDigest, certificates: readSigningCertificates(values) };
}

const KNOWN: ReadonlySet<string> = new Set(Object.values(CmsOid));

function readSigningCertificates(values: ReadonlyMap<string, Uint8Array>): TimestampSigner['certificates'] {
  const first = values.get(CmsOid.signingCertificate);
  const second = values.get(CmsOid.signingCertificateV2);
  const [id, ...others] = [
    ...(second === undefined ? [] : [decodeSigningCertificate(second, 2)]),
    ...(first === undefined ? [] : [decodeSigningCertificate(first, 1)]),
  ];
  if (id === undefined) throw malformed('no attribute that says which certificate signed it');
  return [id, ...others];
}

function required(values: ReadonlyMap<string, Uint8Array>, oid: string, name: string): Uint8Array {
  const value = values.get(oid);
  if (value === undefined) throw malformed(`no signed attribute for its ${name}`);
  return value;
}

// They say which optional fields are there, which shows anyway; authorities write 1 and 3.
function readVersion(reader: DerReader): void {
  const version = reader.integer();
  if (version < 1 || version > MAX_VERSION) throw malformed(`version ${version} of CMS`);
}

function requireOid(found: string, expected: string, name: string): void {
  if (found !== expected) throw malformed(`the type ${found}, expected ${expected}, ${name}`);
}

function malformed(found: string): TrustError {
  return new TrustError('timestamp-malformed', `${WHAT} has ${found}`);
}
