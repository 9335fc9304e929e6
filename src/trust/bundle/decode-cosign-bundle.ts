// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, type Json } from '../../wire/index.ts';
import { decodeCertificates } from '../certificate/certificate-chain.ts';
import { TrustError } from '../error.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { readRekorBundle } from '../log/rekor-entry.ts';
import { printable } from '../printable.ts';
import type { Bundle, BundleContent, KeyMaterial } from './bundle.ts';
import { decodeEnvelope } from './envelope.ts';
import { parseStrictObject } from './strict-json.ts';

const MAX_BYTES = 128 * 1024 * 1024;
const MAX_ENVELOPE_BYTES = 64 * 1024 * 1024;
const MEMBERS: ReadonlySet<string> = new Set(['base64Signature', 'cert', 'rekorBundle']);

/** What was made of the parts of cosign 2: in version 0.1 the promise of a log is enough, as it was there. */
export const COSIGN_BUNDLE_MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle+json;version=0.1';

/**
 * Reads what cosign 2 wrote with `sign-blob --bundle` or `attest-blob --bundle` as the bundle that it would be today: a signature or envelope, a certificate or public key, and the
 * promise of a log of Rekor v1. A public key in it is a hint which key it is, and never trusted.
 *
 * @param what names the file in errors
 * @throws TrustError `bundle-malformed`, `log-entry-malformed`, `certificate-malformed`, `key-malformed`, `pem-malformed`; WireError `too-large`,
 * `json-too-deep`, `json-malformed`, `base64-malformed`
 * @see https://github.com/sigstore/cosign/blob/v2.5.0/pkg/cosign/fetch.go (`LocalSignedPayload`)
 */
export function decodeCosignBundle(bytes: Uint8Array, what: string): Bundle {
  const fields = parseStrictObject(bytes, what, 'bundle-malformed', MAX_BYTES);
  const unknown = Object.keys(fields).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined)
    throw new TrustError('bundle-malformed', `${what} has an unknown field '${printable(unknown)}'`);
  const { rekorBundle } = fields;
  const signature = decodeBase64(text(fields['base64Signature'], what, 'base64Signature'), `${what}.base64Signature`);
  const pem = fields['cert'] ?? '';
  return {
    mediaType: COSIGN_BUNDLE_MEDIA_TYPE,
    material:
      pem === '' ? { kind: 'public-key' } : decodeSignerMaterial(Buffer.from(text(pem, what, 'cert')), `${what}.cert`),
    content: decodeCosignSignature(signature, `${what}.base64Signature`),
    logEntries: rekorBundle === undefined || rekorBundle === null ? [] : [readRekorBundle(rekorBundle, what)],
    timestamps: [],
  };
}

/**
 * What cosign 2 takes for a signature of a blob: octets that are one, or the envelope of an attestation.
 *
 * @throws as `decodeEnvelope`, for what begins as one and is none
 */
export function decodeCosignSignature(bytes: Uint8Array, what: string): BundleContent {
  // No signature is JSON: those of ECDSA begin with 0x30, and others are as good as never text.
  const begins = Buffer.from(bytes.subarray(0, 4096)).toString('latin1');
  if (!/^\s*\{[^]*"payload(?:Type)?"/.test(begins)) return { kind: 'message', signature: bytes };
  return { kind: 'dsse', envelope: decodeEnvelope(bytes, what, { maxBytes: MAX_ENVELOPE_BYTES }), document: bytes };
}

/**
 * The certificate or public key that cosign 2 writes beside a signature: PEM, or that in base64. Of a chain the leaf comes first.
 *
 * @throws as {@link decodeCosignBundle}
 */
export function decodeSignerMaterial(bytes: Uint8Array, what: string): KeyMaterial {
  const written = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').trim();
  const armoured = written.includes('-----BEGIN') || bytes[0] === 0x30;
  const file = armoured ? bytes : decodeBase64(written, what);
  const label = /-----BEGIN ([A-Z ]+)-----/.exec(Buffer.from(file).toString('latin1'))?.[1];
  if (label === 'PUBLIC KEY') return { kind: 'public-key', hint: decodePublicKey(file, what).hint };
  return { kind: 'certificate', chain: decodeCertificates(file, what).map(({ der }) => der) };
}

function text(value: Json | undefined, what: string, name: string): string {
  if (typeof value !== 'string' || value === '')
    throw new TrustError('bundle-malformed', `${what} has no text '${name}'`);
  return value;
}
