// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { preAuthEncoding, type Envelope } from '../bundle/envelope.ts';
import { certificateKey, type Certificate } from '../certificate/certificate.ts';
import type { PublicKey } from '../key/public-key.ts';
import type { LogDigest, LogDigestAlgorithm } from './canonical-body.ts';

/** A signature that one holds, and would see logged: what an entry must be about. */
export interface LoggedSignature {
  readonly signature: Uint8Array;
  readonly verifier: SignatureVerifier;
  readonly content: SignedContent;
}

/** Whose signature it is: the certificate beside it, or the key that one expects. */
export type SignatureVerifier =
  | { readonly kind: 'public-key'; readonly key: PublicKey }
  | { readonly kind: 'certificate'; readonly certificate: Certificate };

/** What was signed. */
export type SignedContent =
  | {
      readonly kind: 'envelope';
      readonly envelope: Envelope;
      /** the envelope as it was sent to the log, where it is kept so, as a layer of an `.att` manifest is */
      readonly document?: Uint8Array;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** only its digest is known; it must be the caller's, not the signer's word */
  | { readonly kind: 'digest'; readonly digest: LogDigest };

/**
 * What a clock is shown of a signature: the signature itself; of an envelope that cosign 2 keeps, the whole of it, which has the signature
 * in it.
 */
export function timestampedOctets({ signature, content }: LoggedSignature): Uint8Array {
  return content.kind === 'envelope' && content.document !== undefined ? content.document : signature;
}

// An artifact of gigabytes is hashed once for each algorithm, however many entries are about it.
const DIGESTS: WeakMap<SignedContent, Map<LogDigestAlgorithm, Uint8Array>> = new WeakMap();

/** The digest of what the signature is over; `undefined` if only one by another algorithm is known. */
export function digestOfSigned(content: SignedContent, algorithm: LogDigestAlgorithm): Uint8Array | undefined {
  if (content.kind === 'digest') return content.digest.algorithm === algorithm ? content.digest.bytes : undefined;
  const known = DIGESTS.get(content) ?? new Map<LogDigestAlgorithm, Uint8Array>();
  DIGESTS.set(content, known);
  const digest = known.get(algorithm) ?? hash(algorithm, signedOctets(content), 'buffer');
  known.set(algorithm, digest);
  return digest;
}

/** @throws TrustError `key-unsupported`, `key-malformed` */
export function keyOfSigned(verifier: SignatureVerifier): PublicKey {
  return verifier.kind === 'public-key' ? verifier.key : certificateKey(verifier.certificate, 'the certificate');
}

function signedOctets(content: Exclude<SignedContent, { kind: 'digest' }>): Uint8Array {
  return content.kind === 'bytes'
    ? content.bytes
    : preAuthEncoding(content.envelope.payloadType, content.envelope.payload);
}
