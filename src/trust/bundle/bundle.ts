// SPDX-License-Identifier: Apache-2.0
import type { Envelope } from './envelope.ts';
import type { LogEntry } from './log-entry.ts';

/**
 * A sigstore bundle: a signature with what is needed to verify it. Nothing of it has been verified, and nothing but `content` is signed.
 *
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
 */
export interface Bundle {
  /** says the version; one of `BUNDLE_MEDIA_TYPES` where it was decoded */
  readonly mediaType: string;
  readonly material: KeyMaterial;
  readonly content: BundleContent;
  readonly logEntries: readonly LogEntry[];
  /** DER TimeStampResp. @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2 */
  readonly timestamps: readonly Uint8Array[];
}

/** What the signer says of the key: a hint which one it is, or a certificate (DER, leaf first). */
export type KeyMaterial =
  | { readonly kind: 'public-key'; readonly hint?: string }
  | { readonly kind: 'certificate'; readonly chain: readonly Uint8Array[] };

/** What was signed: a payload that is in the bundle, or a message that is elsewhere. */
export type BundleContent =
  | {
      readonly kind: 'dsse';
      readonly envelope: Envelope;
      /** the envelope as cosign 2 keeps it, where it was read from there: its clocks stamp this, and its logs hash it */
      readonly document?: Uint8Array;
    }
  | { readonly kind: 'message'; readonly digest?: MessageDigest; readonly signature: Uint8Array };

/** What the bundle says the message's digest is: a hint, the signature decides. */
export interface MessageDigest {
  readonly algorithm: MessageDigestAlgorithm;
  readonly bytes: Uint8Array;
}

/** Digest algorithms as node:crypto names them. */
export type MessageDigestAlgorithm = 'sha256' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-384';

/** What is written. */
export const BUNDLE_V03 = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** What is read, with the version that each means. */
export const BUNDLE_MEDIA_TYPES: ReadonlyMap<string, '0.1' | '0.2' | '0.3'> = new Map([
  ['application/vnd.dev.sigstore.bundle+json;version=0.1', '0.1'],
  ['application/vnd.dev.sigstore.bundle+json;version=0.2', '0.2'],
  ['application/vnd.dev.sigstore.bundle+json;version=0.3', '0.3'],
  [BUNDLE_V03, '0.3'],
]);

/** Names and numbers of `dev.sigstore.common.v1.HashAlgorithm`. */
export const HASH_ALGORITHMS: readonly (readonly [name: string, number: number, algorithm: MessageDigestAlgorithm])[] =
  [
    ['SHA2_256', 1, 'sha256'],
    ['SHA2_384', 2, 'sha384'],
    ['SHA2_512', 3, 'sha512'],
    ['SHA3_256', 4, 'sha3-256'],
    ['SHA3_384', 5, 'sha3-384'],
  ];
