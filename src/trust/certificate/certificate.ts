// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import { sameOctets } from '../der/same-octets.ts';
import type { PublicKey } from '../key/public-key.ts';
import { decodeStandardExtensions, readExtensions, type Extension, type StandardExtensions } from './extension.ts';
import { readSignatureAlgorithm } from './signature-algorithm.ts';
import { importSpki } from './subject-public-key.ts';
import { malformed } from './malformed.ts';

/**
 * An X.509 certificate, decoded once. All octets are slices of what was decoded. Nothing has been verified.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 */
export interface Certificate extends StandardExtensions {
  /** the whole certificate */
  readonly der: Uint8Array;
  /** the TBSCertificate: what the issuer signed */
  readonly tbs: Uint8Array;
  /** the fields of `tbs` before its extensions, one after the other */
  readonly fields: Uint8Array;
  /** the octets of its number, most significant first; unique for one issuer */
  readonly serialNumber: Uint8Array;
  /** DER Name; compare as octets, show with `describeName` */
  readonly issuer: Uint8Array;
  /** DER Name; empty in Fulcio's leaves */
  readonly subject: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** DER SubjectPublicKeyInfo; `certificateKey` gives the key */
  readonly spki: Uint8Array;
  /** by object identifier, in their order */
  readonly extensions: ReadonlyMap<string, Extension>;
  /** a `SignatureAlgorithm`, or a name or object identifier of one that is not accepted */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

const MAX_BYTES = 64 * 1024;
const VERSION_3 = 2;
// Context tags of RFC 5280 section 4.1.
const EXTENSIONS = 0xa3;
const UNIQUE_IDENTIFIERS: readonly number[] = [0x81, 0x82];

/**
 * Reads one DER certificate of version 3, strictly: DER only, no extension twice, the extensions that verification looks at in their
 * exact form. Whether it is any good is for `verifyChain` to say.
 *
 * @param what names the certificate in errors
 * @throws TrustError `der-malformed`, `certificate-malformed`
 * @example
 * const certificate = decodeCertificate(bundle.material.chain[0], 'the certificate');
 */
export function decodeCertificate(bytes: Uint8Array, what: string): Certificate {
  if (bytes.byteLength > MAX_BYTES) throw malformed(what, `${bytes.byteLength} bytes, at most ${MAX_BYTES} are read`);
  const outermost = new DerReader(bytes, what);
  const outer = outermost.sequence();
  outermost.end();
  const tbs = outer.element(DerTag.sequence);
  const outerAlgorithm = outer.element(DerTag.sequence);
  const signature = outer.bitString();
  outer.end();
  const content = new DerReader(tbs, what).sequence();
  const all = content.rest();
  readVersion(content, what);
  const serialNumber = content.integerOctets();
  const algorithm = content.element(DerTag.sequence);
  // Section 4.1.1.2: the one that is signed and the one that is used must be the same.
  if (!sameOctets(algorithm, outerAlgorithm)) throw malformed(what, 'two different signature algorithms');
  const issuer = content.element(DerTag.sequence);
  const validity = content.sequence();
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.end();
  const subject = content.element(DerTag.sequence);
  const spki = content.element(DerTag.sequence);
  for (const tag of UNIQUE_IDENTIFIERS) if (content.peek() === tag) content.element();
  const fields = all.subarray(0, all.length - content.rest().length);
  const extensions = readOptionalExtensions(content, what);
  content.end();
  return {
    der: bytes,
    tbs,
    fields,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    spki,
    extensions,
    signatureAlgorithm: readSignatureAlgorithm(new DerReader(algorithm, what).sequence()),
    signature,
    ...decodeStandardExtensions(extensions, what),
  };
}

const KEYS = new WeakMap<Certificate, PublicKey>();

/**
 * The key of a certificate, imported once.
 *
 * @throws TrustError `key-unsupported`, `key-malformed`
 */
export function certificateKey(certificate: Certificate, what: string): PublicKey {
  const known = KEYS.get(certificate);
  if (known !== undefined) return known;
  const key = importSpki(certificate.spki, what);
  KEYS.set(certificate, key);
  return key;
}

function readVersion(content: DerReader, what: string): void {
  const version = content.peek() === DerTag.context0 ? readNumber(content.enter(DerTag.context0)) : 0;
  if (version !== VERSION_3) throw malformed(what, `version ${version + 1}, expected 3`);
}

function readNumber(explicit: DerReader): number {
  const number = explicit.integer();
  explicit.end();
  return number;
}

function readOptionalExtensions(content: DerReader, what: string): ReadonlyMap<string, Extension> {
  if (content.peek() !== EXTENSIONS) return new Map();
  const explicit = content.enter(EXTENSIONS);
  const extensions = readExtensions(explicit, what);
  explicit.end();
  return extensions;
}
