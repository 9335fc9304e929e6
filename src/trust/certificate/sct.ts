// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { decodeBase64, encodeBase64, isJsonObject, parseJson } from '../../wire/index.ts';
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { Signer } from '../key/signer.ts';
import type { Certificate } from './certificate.ts';
import { ExtensionOid } from './object-identifier.ts';
import { TlsReader, TlsWriter } from './tls-structure.ts';

/**
 * The word of a certificate log that it has a certificate, or will have it soon.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.2
 */
export interface SignedCertificateTimestamp {
  /** SHA-256 of the log's SubjectPublicKeyInfo */
  readonly logId: Uint8Array;
  /** milliseconds since 1970 */
  readonly timestamp: number;
  readonly extensions: Uint8Array;
  /** a HashAlgorithm of RFC 5246: 4 is SHA-256, the only one that logs use */
  readonly hashAlgorithm: number;
  /** a SignatureAlgorithm of RFC 5246: 1 is RSA, 3 is ECDSA */
  readonly signatureAlgorithm: number;
  readonly signature: Uint8Array;
}

/** What a log is asked to enter. */
export type CertificateLogEntry =
  /** a certificate before it has timestamps: its TBSCertificate without poison and without them */
  | { readonly kind: 'precertificate'; readonly issuerKeyHash: Uint8Array; readonly tbs: Uint8Array }
  /** a finished certificate */
  | { readonly kind: 'certificate'; readonly der: Uint8Array };

const VERSION_1 = 0;
const CERTIFICATE_TIMESTAMP = 0;
const X509_ENTRY = 0;
const PRECERT_ENTRY = 1;
const LOG_ID_BYTES = 32;
const MAX_SCTS = 16;
export const SHA256 = 4;
export const RSA = 1;
export const ECDSA = 3;

/** @throws TrustError `sct-malformed` */
export function decodeSct(bytes: Uint8Array): SignedCertificateTimestamp {
  const reader = new TlsReader(bytes);
  const version = reader.number(1);
  if (version !== VERSION_1) throw malformed(`version ${version + 1}, expected 1`);
  const logId = reader.octets(LOG_ID_BYTES);
  const timestamp = reader.number(8);
  const extensions = reader.vector(2);
  const signed = readDigitallySigned(reader);
  return { logId, timestamp, extensions, ...signed };
}

export function encodeSct(sct: SignedCertificateTimestamp): Uint8Array {
  return new TlsWriter()
    .number(VERSION_1, 1)
    .octets(sct.logId)
    .number(sct.timestamp, 8)
    .vector(sct.extensions, 2)
    .octets(encodeDigitallySigned(sct))
    .end();
}

/**
 * The timestamps embedded in a certificate; none if it has none.
 *
 * @throws TrustError `sct-malformed`, `der-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.3
 */
export function embeddedScts({ extensions }: Certificate): readonly SignedCertificateTimestamp[] {
  const extension = extensions.get(ExtensionOid.sctList);
  if (extension === undefined) return [];
  const value = new DerReader(extension.value, 'the list of certificate timestamps');
  const outer = new TlsReader(value.read(DerTag.octetString));
  value.end();
  const list = new TlsReader(outer.vector(2));
  outer.end();
  const scts: SignedCertificateTimestamp[] = [];
  while (!list.atEnd) {
    if (scts.length === MAX_SCTS) throw malformed(`more than ${MAX_SCTS} in a list`);
    scts.push(decodeSct(list.vector(2)));
  }
  if (scts.length === 0) throw malformed('an empty list');
  return scts;
}

/** The extension that embeds timestamps. */
export function encodeSctList(scts: readonly SignedCertificateTimestamp[]): Uint8Array {
  const list = new TlsWriter();
  for (const sct of scts) list.vector(encodeSct(sct), 2);
  const octets = new TlsWriter().vector(list.end(), 2).end();
  return der.sequence(der.oid(ExtensionOid.sctList), der.octetString(der.octetString(octets)));
}

/** What a log signs. @see https://www.rfc-editor.org/rfc/rfc6962#section-3.2 */
export function sctSignedData(
  { timestamp, extensions }: Pick<SignedCertificateTimestamp, 'timestamp' | 'extensions'>,
  entry: CertificateLogEntry,
): Uint8Array {
  const data = new TlsWriter().number(VERSION_1, 1).number(CERTIFICATE_TIMESTAMP, 1).number(timestamp, 8);
  if (entry.kind === 'certificate') data.number(X509_ENTRY, 2).vector(entry.der, 3);
  else data.number(PRECERT_ENTRY, 2).octets(entry.issuerKeyHash).vector(entry.tbs, 3);
  return data.vector(extensions, 2).end();
}

/**
 * Makes a timestamp as a log does, with an ECDSA key on P-256 or an RSA key.
 *
 * @param timestamp milliseconds since 1970
 * @throws what the signer throws; TrustError `key-unsupported` for a key of another kind
 */
export async function signSct(
  signer: Signer,
  entry: CertificateLogEntry,
  timestamp: number,
  extensions: Uint8Array = new Uint8Array(),
): Promise<SignedCertificateTimestamp> {
  const { algorithm } = signer.publicKey;
  // RFC 6962 section 2.1.4
  if (algorithm !== 'ecdsa-p256' && !algorithm.startsWith('rsa-'))
    throw new TrustError(
      'key-unsupported',
      `a certificate log with a key of type ${algorithm}, expected ecdsa-p256 or RSA`,
    );
  const signature = await signer.sign(sctSignedData({ timestamp, extensions }, entry));
  const signatureAlgorithm = algorithm === 'ecdsa-p256' ? ECDSA : RSA;
  return {
    logId: logIdOf(signer.publicKey),
    timestamp,
    extensions,
    hashAlgorithm: SHA256,
    signatureAlgorithm,
    signature,
  };
}

/** What names a log in its timestamps. */
export function logIdOf(key: PublicKey): Uint8Array {
  return hash('sha256', key.spki, 'buffer');
}

/** Whether this is what logs are given before a certificate is finished: it has the critical poison. @see https://www.rfc-editor.org/rfc/rfc6962#section-3.1 */
export function isPrecertificate({ extensions }: Certificate): boolean {
  return extensions.get(ExtensionOid.poison)?.critical === true;
}

/**
 * What a log is asked to enter before a certificate is finished: of a precertificate all but the poison, of a certificate all but its
 * timestamps. Both give the same.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3.2
 */
export function precertificateEntry(certificate: Certificate, issuer: Pick<Certificate, 'spki'>): CertificateLogEntry {
  const kept = [...certificate.extensions.values()].filter(
    ({ oid }) => oid !== ExtensionOid.sctList && oid !== ExtensionOid.poison,
  );
  const extensions =
    kept.length === 0 ? [] : [der.explicit(3, der.sequence(...kept.map((extension) => extension.der)))];
  const tbs = der.sequence(certificate.fields, ...extensions);
  return { kind: 'precertificate', issuerKeyHash: hash('sha256', issuer.spki, 'buffer'), tbs };
}

/**
 * Reads what a log answers to `add-chain` and `add-pre-chain`: a timestamp that is not in the certificate.
 *
 * @throws TrustError `sct-malformed`; WireError `json-malformed`, `too-large`, `json-too-deep`, `base64-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-4.1
 */
export function decodeAddChainResponse(bytes: Uint8Array): SignedCertificateTimestamp {
  const response = parseJson(bytes, { what: 'the certificate timestamp', maxBytes: 64 * 1024, maxDepth: 4 });
  if (!isJsonObject(response)) throw malformed('JSON that is no object');
  const { sct_version: version, timestamp } = response;
  const octets = (name: string): Uint8Array => {
    const text = response[name];
    if (typeof text !== 'string') throw malformed(`no text '${name}'`);
    return decodeBase64(text, `'${name}' of the certificate timestamp`);
  };
  if (version !== VERSION_1) throw malformed('another version than 1');
  if (typeof timestamp !== 'number' || !Number.isSafeInteger(timestamp) || timestamp < 0)
    throw malformed('no timestamp');
  const logId = octets('id');
  if (logId.length !== LOG_ID_BYTES) throw malformed(`a log id of ${logId.length} bytes, expected ${LOG_ID_BYTES}`);
  const signed = readDigitallySigned(new TlsReader(octets('signature')));
  return { logId, timestamp, extensions: octets('extensions'), ...signed };
}

/** The same, to answer it. */
export function encodeAddChainResponse(sct: SignedCertificateTimestamp): string {
  return JSON.stringify({
    sct_version: VERSION_1,
    id: encodeBase64(sct.logId),
    timestamp: sct.timestamp,
    extensions: encodeBase64(sct.extensions),
    signature: encodeBase64(encodeDigitallySigned(sct)),
  });
}

type DigitallySigned = Pick<SignedCertificateTimestamp, 'hashAlgorithm' | 'signatureAlgorithm' | 'signature'>;

// RFC 5246 section 4.7; it is the last field wherever it stands.
function readDigitallySigned(reader: TlsReader): DigitallySigned {
  const hashAlgorithm = reader.number(1);
  const signatureAlgorithm = reader.number(1);
  const signature = reader.vector(2);
  reader.end();
  return { hashAlgorithm, signatureAlgorithm, signature };
}

function encodeDigitallySigned({ hashAlgorithm, signatureAlgorithm, signature }: DigitallySigned): Uint8Array {
  return new TlsWriter().number(hashAlgorithm, 1).number(signatureAlgorithm, 1).vector(signature, 2).end();
}

function malformed(found: string): TrustError {
  return new TrustError('sct-malformed', `a certificate timestamp has ${found}`);
}
