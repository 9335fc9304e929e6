// SPDX-License-Identifier: Apache-2.0
import { decodeCertificates, decodePem, decodeRekorBundle, TrustError, type Bundle } from '../trust/index.ts';
import { decodeBase64, isJsonObject, parseJson, WireError } from '../wire/index.ts';

/** What cosign 2 writes beside a signature, as it stands in the annotations of its layer. */
export interface LegacyEvidence {
  /** PEM */
  readonly certificate?: string;
  /** PEM, those above it */
  readonly chain?: string;
  /** JSON: the promise of a log of Rekor v1 */
  readonly bundle?: string;
  /** JSON with a TimeStampResp of RFC 3161 */
  readonly timestamp?: string;
}

const MAX_TIMESTAMP_BYTES = 256 * 1024;
/** as of a bundle */
const MAX_CHAIN = 16;

/**
 * A legacy signature with all that lies beside it, as the bundle that it would be today. A chain that cannot be read is none: what the
 * certificate chains to is for the trusted root to say, and hardly anybody asks for it.
 *
 * @throws TrustError and WireError for what cannot be read
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#properties
 */
export function withEvidence(bundle: Bundle, beside: LegacyEvidence): Bundle {
  const { certificate, chain, bundle: promise, timestamp } = beside;
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  return {
    ...bundle,
    ...(certificate === undefined
      ? {}
      : {
          material: {
            kind: 'certificate',
            chain: [
              decodeCertificates(encode(certificate), 'the certificate annotation')[0].der,
              ...(chain === undefined ? [] : readChain(chain)),
            ],
          },
        }),
    ...(promise === undefined ? {} : { logEntries: [decodeRekorBundle(encode(promise), 'the bundle annotation')] }),
    ...(timestamp === undefined ? {} : { timestamps: [decodeTimestamp(encode(timestamp))] }),
  };
}

function readChain(pem: string): readonly Uint8Array[] {
  try {
    return decodePem(pem, 'the chain annotation')
      .filter(({ label }) => label === 'CERTIFICATE')
      .slice(0, MAX_CHAIN)
      .map(({ bytes }) => bytes);
  } catch (error) {
    if (error instanceof TrustError || error instanceof WireError) return [];
    throw error;
  }
}

function decodeTimestamp(bytes: Uint8Array): Uint8Array {
  const what = 'the timestamp annotation';
  const value = parseJson(bytes, { what, maxBytes: MAX_TIMESTAMP_BYTES, maxDepth: 4 });
  const text = isJsonObject(value) ? value['SignedRFC3161Timestamp'] : undefined;
  if (typeof text !== 'string')
    throw new TrustError('timestamp-malformed', `${what} has no text 'SignedRFC3161Timestamp'`);
  return decodeBase64(text, `'SignedRFC3161Timestamp' of ${what}`);
}
