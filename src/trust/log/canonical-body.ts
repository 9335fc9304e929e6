// SPDX-License-Identifier: Apache-2.0
import { canonicalJson, encodeBase64, type Json } from '../../wire/index.ts';
import { encodePem } from '../key/pem.ts';
import type { PublicKeyAlgorithm } from '../key/public-key.ts';

/**
 * What a log keeps of an entry, and what its leaf is the hash of: Rekor v1 (`hashedrekord` 0.0.1, `dsse` 0.0.1, `intoto` 0.0.1 and
 * 0.0.2) and Rekor v2 (`hashedrekord` 0.0.2, `dsse` 0.0.2).
 *
 * @see https://github.com/sigstore/rekor/tree/main/pkg/types
 * @see https://github.com/sigstore/rekor-tiles/tree/main/api/proto
 */
export type LogBody = HashedRekordV1 | DsseV1 | IntotoV1 | IntotoV2 | HashedRekordV2 | DsseV2;

/** A signature over something of which the log has the digest. */
export interface HashedRekordV1 {
  readonly kind: 'hashedrekord';
  readonly version: '0.0.1';
  readonly digest: LogDigest;
  readonly signature: Uint8Array;
  readonly verifier: LogVerifier;
}

/** A DSSE envelope. */
export interface DsseV1 {
  readonly kind: 'dsse';
  readonly version: '0.0.1';
  /** of the envelope as it was sent, in whatever spelling */
  readonly envelopeHash: LogDigest;
  readonly payloadHash: LogDigest;
  readonly signatures: readonly LogSignature[];
}

/** A DSSE envelope, as it was entered first: without its signature. */
export interface IntotoV1 {
  readonly kind: 'intoto';
  readonly version: '0.0.1';
  /** of the envelope as it was sent */
  readonly envelopeHash: LogDigest;
  readonly payloadHash?: LogDigest;
  readonly verifier: LogVerifier;
}

/** A DSSE envelope, as npm's provenance is entered. */
export interface IntotoV2 {
  readonly kind: 'intoto';
  readonly version: '0.0.2';
  readonly payloadType: string;
  /** as whoever entered it says; nobody has checked */
  readonly envelopeHash: LogDigest;
  readonly payloadHash: LogDigest;
  readonly signatures: readonly (LogSignature & { readonly keyid?: string })[];
}

/** A signature over something, or over the pre-authentication encoding of an envelope. */
export interface HashedRekordV2 {
  readonly kind: 'hashedrekord';
  readonly version: '0.0.2';
  readonly digest: LogDigest;
  readonly signature: Uint8Array;
  readonly verifier: LogVerifier;
  readonly keyDetails: KeyDetails;
}

/** A DSSE envelope, as cosign 3.0 entered it. */
export interface DsseV2 {
  readonly kind: 'dsse';
  readonly version: '0.0.2';
  readonly payloadHash: LogDigest;
  readonly signatures: readonly (LogSignature & { readonly keyDetails: KeyDetails })[];
}

export const LOG_DIGEST_ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const;

export type LogDigestAlgorithm = (typeof LOG_DIGEST_ALGORITHMS)[number];

export interface LogDigest {
  readonly algorithm: LogDigestAlgorithm;
  readonly bytes: Uint8Array;
}

/** Whose signature it is. */
export type LogVerifier =
  | {
      readonly kind: 'public-key';
      /** DER SubjectPublicKeyInfo */
      readonly der: Uint8Array;
    }
  | {
      readonly kind: 'certificate';
      /** DER */
      readonly der: Uint8Array;
      /** DER, the certificates after it; Rekor v1 keeps them */
      readonly chain: readonly Uint8Array[];
    };

export interface LogSignature {
  readonly signature: Uint8Array;
  readonly verifier: LogVerifier;
}

/** How a key signs, by Sigstore's names: those that a log of Rekor v2 takes. */
export const KEY_DETAILS = [
  'PKIX_ECDSA_P256_SHA_256',
  'PKIX_ECDSA_P384_SHA_384',
  'PKIX_ECDSA_P521_SHA_512',
  'PKIX_ED25519_PH',
  'PKIX_ED25519',
  'PKIX_RSA_PKCS1V15_2048_SHA256',
  'PKIX_RSA_PKCS1V15_3072_SHA256',
  'PKIX_RSA_PKCS1V15_4096_SHA256',
] as const;

export type KeyDetails = (typeof KEY_DETAILS)[number];

/** What a kind of key signs with unless it says otherwise, and the digest that goes with it. */
export interface KeyDefault {
  readonly keyDetails: KeyDetails;
  readonly digest: LogDigestAlgorithm;
}

const DEFAULTS: ReadonlyMap<PublicKeyAlgorithm, KeyDefault> = new Map([
  ['ecdsa-p256', { keyDetails: 'PKIX_ECDSA_P256_SHA_256', digest: 'sha256' }],
  ['ecdsa-p384', { keyDetails: 'PKIX_ECDSA_P384_SHA_384', digest: 'sha384' }],
  ['ecdsa-p521', { keyDetails: 'PKIX_ECDSA_P521_SHA_512', digest: 'sha512' }],
  // A log has only the digest to verify with, so that it takes the prehashed form.
  ['ed25519', { keyDetails: 'PKIX_ED25519_PH', digest: 'sha512' }],
  ['rsa-2048', { keyDetails: 'PKIX_RSA_PKCS1V15_2048_SHA256', digest: 'sha256' }],
  ['rsa-3072', { keyDetails: 'PKIX_RSA_PKCS1V15_3072_SHA256', digest: 'sha256' }],
  ['rsa-4096', { keyDetails: 'PKIX_RSA_PKCS1V15_4096_SHA256', digest: 'sha256' }],
]);

/**
 * How a key of this kind is entered into a log of Rekor v2; `undefined` if it cannot be. Whoever rebuilds an entry takes this, so a log
 * that took another would not be believed.
 */
export function defaultKeyDetails(algorithm: PublicKeyAlgorithm): KeyDefault | undefined {
  return DEFAULTS.get(algorithm);
}

/**
 * The octets that a log keeps of an entry: canonical JSON, byte for byte as Rekor writes it.
 *
 * @example
 * const leaf = leafHash(encodeLogBody({ kind: 'hashedrekord', version: '0.0.2', digest, signature, verifier, keyDetails }));
 */
export function encodeLogBody(body: LogBody): Uint8Array {
  const { kind, version: apiVersion } = body;
  return Buffer.from(canonicalJson({ apiVersion, kind, spec: specOf(body) }), 'utf8');
}

function specOf(body: LogBody): Json {
  switch (body.version) {
    case '0.0.1':
      return specV1(body);
    case '0.0.2':
      return specV2(body);
  }
}

function specV1(body: HashedRekordV1 | DsseV1 | IntotoV1): Json {
  switch (body.kind) {
    case 'hashedrekord':
      return {
        data: { hash: hexDigest(body.digest) },
        signature: { content: encodeBase64(body.signature), publicKey: { content: pemOf(body.verifier) } },
      };
    case 'dsse':
      return {
        envelopeHash: hexDigest(body.envelopeHash),
        payloadHash: hexDigest(body.payloadHash),
        // By their text, as Rekor sorts them.
        signatures: body.signatures
          .map(({ signature, verifier }) => ({ signature: encodeBase64(signature), verifier: pemOf(verifier) }))
          .toSorted((a, b) => (a.signature < b.signature ? -1 : a.signature > b.signature ? 1 : 0)),
      };
    case 'intoto':
      return {
        content: {
          hash: hexDigest(body.envelopeHash),
          ...(body.payloadHash === undefined ? {} : { payloadHash: hexDigest(body.payloadHash) }),
        },
        publicKey: pemOf(body.verifier),
      };
  }
}

function specV2(body: IntotoV2 | HashedRekordV2 | DsseV2): Json {
  switch (body.kind) {
    case 'hashedrekord':
      return {
        hashedRekordV002: {
          data: protoDigest(body.digest),
          signature: {
            content: encodeBase64(body.signature),
            verifier: protoVerifier(body.verifier, body.keyDetails),
          },
        },
      };
    case 'dsse':
      return {
        dsseV002: {
          payloadHash: protoDigest(body.payloadHash),
          signatures: body.signatures.map(({ signature, verifier, keyDetails }) => ({
            content: encodeBase64(signature),
            verifier: protoVerifier(verifier, keyDetails),
          })),
        },
      };
    case 'intoto':
      return {
        content: {
          envelope: {
            payloadType: body.payloadType,
            signatures: body.signatures.map(({ signature, verifier, keyid = '' }) => ({
              ...(keyid === '' ? {} : { keyid }),
              publicKey: pemOf(verifier),
              // The text of the signature, once more in base64: so it is in every log.
              sig: encodeBase64(Buffer.from(encodeBase64(signature))),
            })),
          },
          hash: hexDigest(body.envelopeHash),
          payloadHash: hexDigest(body.payloadHash),
        },
      };
  }
}

function hexDigest({ algorithm, bytes }: LogDigest): Json {
  return { algorithm, value: Buffer.from(bytes).toString('hex') };
}

function protoDigest({ algorithm, bytes }: LogDigest): Json {
  return { algorithm: algorithm.replace('sha', 'SHA2_'), digest: encodeBase64(bytes) };
}

function protoVerifier({ kind, der }: LogVerifier, keyDetails: KeyDetails): Json {
  const rawBytes = encodeBase64(der);
  return kind === 'certificate'
    ? { keyDetails, x509Certificate: { rawBytes } }
    : { keyDetails, publicKey: { rawBytes } };
}

/** Base64 of PEM, which is base64 itself. */
function pemOf(verifier: LogVerifier): string {
  const pem =
    verifier.kind === 'public-key'
      ? encodePem('PUBLIC KEY', verifier.der)
      : [verifier.der, ...verifier.chain].map((der) => encodePem('CERTIFICATE', der)).join('');
  return encodeBase64(Buffer.from(pem));
}
