// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../../wire/index.ts';
import type { Descriptor } from '../descriptor.ts';
import { digestOf, type Digest } from '../digest.ts';
import { MediaType } from '../media-type.ts';
import type { BlobSource } from '../repository.ts';

/** UTF-8. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** JSON as bytes. */
export function jsonBytes(json: unknown): Uint8Array {
  return bytesOf(JSON.stringify(json));
}

/** A blob of bytes in memory, read in pieces. `opened` counts how often. */
export function sourceOf(bytes: Uint8Array, digest: Digest = digestOf(bytes)): BlobSource & { opened: number } {
  return {
    digest,
    size: bytes.byteLength,
    opened: 0,
    async *open() {
      this.opened++;
      for (let at = 0; at < bytes.byteLength; at += 10_000) yield bytes.subarray(at, at + 10_000);
    },
  };
}

/** The blob `{}`. */
export const EMPTY_BLOB: Uint8Array = bytesOf('{}');
const EMPTY: Descriptor = { mediaType: MediaType.empty, digest: digestOf(EMPTY_BLOB), size: 2 };

/** An image manifest that differs by its name. */
export function imageNamed(
  name: string,
  more: { readonly subject?: Descriptor; readonly layers?: readonly Descriptor[] } = {},
): Uint8Array {
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: EMPTY,
    layers: [EMPTY],
    annotations: { name },
    ...more,
  };
  return jsonBytes(manifest);
}

/** The descriptor of a manifest. */
export function describe(bytes: Uint8Array): Descriptor {
  return { mediaType: MediaType.imageManifest, digest: digestOf(bytes), size: bytes.byteLength };
}

/** A clock on which sleeping takes no time. */
export class SkippingClock implements Clock {
  readonly slept: number[] = [];
  #skipped = 0;

  now(): number {
    return Date.now() + this.#skipped;
  }

  sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.#skipped += milliseconds;
    return Promise.resolve();
  }
}

/** All that an iterable gives. */
export async function gather<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}
