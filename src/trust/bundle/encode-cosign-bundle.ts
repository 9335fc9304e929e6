// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, goJson, type Json } from '../../wire/index.ts';
import { decodeCertificate } from '../certificate/certificate.ts';
import { encodeCertificates } from '../certificate/certificate-chain.ts';
import { TrustError } from '../error.ts';
import { encodePublicKey, type PublicKey } from '../key/public-key.ts';
import { encodeRekorBundle } from '../log/rekor-entry.ts';
import type { Bundle, BundleContent } from './bundle.ts';
import { encodeEnvelope } from './envelope.ts';

/**
 * Writes a signature over bytes, or an envelope, as cosign 2 does with `sign-blob --bundle` and `attest-blob --bundle`: with the certificate or public key in PEM, and the promise of one
 * log of Rekor v1.
 *
 * @param publicKey of the signer, where the bundle has no certificate
 * @throws TrustError `bundle-malformed` for what that format has no place for: a timestamp, a second log, one of Rekor v2
 * @see https://github.com/sigstore/cosign/blob/v2.5.0/pkg/cosign/fetch.go (`LocalSignedPayload`)
 */
export function encodeCosignBundle(bundle: Bundle, publicKey: PublicKey): Uint8Array {
  const { content, material, logEntries, timestamps } = bundle;
  if (timestamps.length > 0) throw unheld('a timestamp');
  const [entry, ...others] = logEntries;
  if (others.length > 0) throw unheld(`entries of ${logEntries.length} logs`);
  if (entry !== undefined && entry.signedEntryTimestamp === undefined) throw unheld('an entry of Rekor v2');
  const pem =
    material.kind === 'certificate'
      ? encodeCertificates(material.chain.slice(0, 1).map((der) => decodeCertificate(der, 'the certificate')))
      : encodePublicKey(publicKey);
  const document = {
    base64Signature: encodeBase64(signatureOf(content)),
    cert: encodeBase64(Buffer.from(pem)),
    ...(entry === undefined ? {} : { rekorBundle: promiseOf(encodeRekorBundle(entry)) }),
  };
  return new TextEncoder().encode(goJson(document));
}

function signatureOf(content: BundleContent): Uint8Array {
  return content.kind === 'message' ? content.signature : (content.document ?? encodeEnvelope(content.envelope));
}

/** The promise as it stands in the annotation that cosign 2 writes, as a value. */
function promiseOf(annotation: string): Json {
  const value: unknown = JSON.parse(annotation);
  return value as Json;
}

function unheld(what: string): TrustError {
  return new TrustError('bundle-malformed', `the bundle of cosign 2 has no place for ${what}`);
}
