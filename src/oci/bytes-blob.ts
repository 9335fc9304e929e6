// SPDX-License-Identifier: Apache-2.0
import { digestOf } from './digest.ts';
import type { BlobSource } from './repository.ts';

/**
 * Bytes in memory as a blob to be written.
 *
 * @example await repository.putBlob(bytesBlob(new TextEncoder().encode('{}')));
 */
export function bytesBlob(bytes: Uint8Array): BlobSource {
  return {
    digest: digestOf(bytes),
    size: bytes.byteLength,
    async *open() {
      yield bytes;
    },
  };
}
