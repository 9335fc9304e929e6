// SPDX-License-Identifier: Apache-2.0
import type { Digest } from './digest.ts';

/** Content, named by what it is. @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
  /** a hint that anyone can write: it may order what is fetched and must never exclude */
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
