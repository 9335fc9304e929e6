// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import { TrustError } from '../error.ts';
import { decodePem } from '../key/pem.ts';
import type { PublicKey } from '../key/public-key.ts';
import { readSignatureAlgorithm, verifyWith } from './signature-algorithm.ts';
import { importSpki } from './subject-public-key.ts';

/**
 * A PKCS#10 certificate signing request, decoded. Its subject and attributes are what somebody would like; an authority that certifies
 * identities by token does not read them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc2986#section-4
 */
export interface CertificateRequest {
  /** the CertificationRequestInfo: what the key signed */
  readonly info: Uint8Array;
  /** DER Name */
  readonly subject: Uint8Array;
  readonly publicKey: PublicKey;
  /** a `SignatureAlgorithm`, or a name or object identifier of one that is not accepted */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
}

const MAX_BYTES = 64 * 1024;
const LABELS: ReadonlySet<string> = new Set(['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST']);

/**
 * Reads a request, as PEM or DER.
 *
 * @param what names it in errors
 * @throws TrustError `request-malformed`, `der-malformed`, `pem-malformed`, `key-unsupported`, `key-malformed`; WireError `base64-malformed`
 */
export function decodeCertificateRequest(bytes: Uint8Array, what: string): CertificateRequest {
  if (bytes.byteLength > MAX_BYTES) throw malformed(what, `${bytes.byteLength} bytes, at most ${MAX_BYTES} are read`);
  const outermost = new DerReader(bytes[0] === DerTag.sequence ? bytes : unwrap(bytes, what), what);
  const outer = outermost.sequence();
  outermost.end();
  const info = outer.element(DerTag.sequence);
  const signatureAlgorithm = readSignatureAlgorithm(outer.sequence());
  const signature = outer.bitString();
  outer.end();
  const content = new DerReader(info, what).sequence();
  const version = content.integer();
  if (version !== 0) throw malformed(what, `version ${version + 1}, expected 1`);
  const subject = content.element(DerTag.sequence);
  const spki = content.element(DerTag.sequence);
  // Attributes are `[0]`, and some programs leave out an empty set of them.
  if (content.peek() === DerTag.context0) content.element();
  content.end();
  return { info, subject, publicKey: importSpki(spki, what), signatureAlgorithm, signature };
}

/** Whether the request was signed by the key that it asks a certificate for. */
export function verifyCertificateRequest(request: CertificateRequest): boolean {
  return verifyWith(request.signatureAlgorithm, request.publicKey, request.info, request.signature);
}

function unwrap(bytes: Uint8Array, what: string): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const blocks = decodePem(text, what);
  const [block] = blocks;
  if (block === undefined || blocks.length !== 1 || !LABELS.has(block.label)) {
    const found = blocks.length === 1 ? `a PEM block '${block?.label}'` : `${blocks.length} PEM blocks`;
    throw malformed(what, `${found}, expected one CERTIFICATE REQUEST`);
  }
  return block.bytes;
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('request-malformed', `${what} has ${found}`);
}
