// SPDX-License-Identifier: Apache-2.0
import { createHash, hash, type Hash } from 'node:crypto';
import { ReferenceFault } from './error.ts';
import { quoted } from './quoted.ts';

declare const checked: unique symbol;

/**
 * `sha256:…` or `sha512:…` in lower-case hex, checked.
 * @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
 */
export type Digest = `${DigestAlgorithm}:${string}` & { readonly [checked]: 'digest' };
/** The algorithms that the image specification registers. */
export type DigestAlgorithm = 'sha256' | 'sha512';

const SHAPE = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** True for a well-formed digest. */
export function isDigest(text: string): text is Digest {
  return SHAPE.test(text);
}

/**
 * @throws ReferenceFault `digest-malformed`
 * @example parseDigest('sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new ReferenceFault(
    'digest-malformed',
    `${quoted(text)} is not a digest (expected sha256:<64 hex> or sha512:<128 hex>, lower case)`,
  );
}

/** The algorithm of a digest. */
export function digestAlgorithm(digest: Digest): DigestAlgorithm {
  return digest.startsWith('sha256:') ? 'sha256' : 'sha512';
}

/** The hex part of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest;
}

/** A running digest for streams. */
export class DigestStream {
  readonly #hash: Hash;
  readonly #algorithm: DigestAlgorithm;

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** Ends the stream; call once. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}` as Digest;
  }
}
