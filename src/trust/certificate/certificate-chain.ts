// SPDX-License-Identifier: Apache-2.0
import { decodePem, encodePem } from '../key/pem.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import { malformed } from './malformed.ts';

/** more than any chain of authorities has */
const MAX_CERTIFICATES = 10;
/** ten certificates of the greatest size in base64, with room for text between them */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a PEM file of certificates in its order, or one DER certificate.
 *
 * @param what names the file in errors
 * @throws TrustError `certificate-malformed`, `der-malformed`, `pem-malformed`; WireError `base64-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc7468#section-5
 * @example
 * const [issuer, ...above] = decodeCertificates(await readFile('chain.pem'), 'chain.pem');
 */
export function decodeCertificates(bytes: Uint8Array, what: string): readonly [Certificate, ...Certificate[]] {
  if (bytes.byteLength > MAX_BYTES) throw malformed(what, `${bytes.byteLength} bytes, at most ${MAX_BYTES} are read`);
  if (bytes[0] === 0x30) return [decodeCertificate(bytes, what)];
  const blocks = decodePem(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'), what);
  if (blocks.length > MAX_CERTIFICATES)
    throw malformed(what, `${blocks.length} certificates, at most ${MAX_CERTIFICATES} are read`);
  const [first, ...others] = blocks.map(({ label, bytes: der }, index) => {
    if (label !== 'CERTIFICATE') throw malformed(what, `a PEM block '${label}', expected CERTIFICATE`);
    return decodeCertificate(der, blocks.length === 1 ? what : `${what}, certificate ${index + 1},`);
  });
  if (first === undefined) throw malformed(what, 'no PEM block CERTIFICATE');
  return [first, ...others];
}

/** PEM of certificates, one after the other. */
export function encodeCertificates(certificates: readonly { readonly der: Uint8Array }[]): string {
  return certificates.map(({ der }) => encodePem('CERTIFICATE', der)).join('');
}
