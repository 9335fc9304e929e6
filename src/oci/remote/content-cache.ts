// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../digest.ts';

/** Content that was read and checked, by its digest: what never changes is not asked for twice. The oldest goes first. */
export class ContentCache<T extends { readonly bytes: Uint8Array }> {
  readonly #maxBytes: number;
  readonly #known = new Map<Digest, T>();
  readonly #pending = new Map<string, Promise<T | undefined>>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(digest: Digest): T | undefined {
    return this.#known.get(digest);
  }

  add(digest: Digest, content: T): void {
    if (content.bytes.byteLength > this.#maxBytes / 4 || this.#known.has(digest)) return;
    this.#known.set(digest, content);
    this.#bytes += content.bytes.byteLength;
    for (const [oldest, { bytes }] of this.#known) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#known.delete(oldest);
      this.#bytes -= bytes.byteLength;
    }
  }

  delete(digest: Digest): void {
    this.#bytes -= this.#known.get(digest)?.bytes.byteLength ?? 0;
    this.#known.delete(digest);
  }

  /** What is known, or what `read` answers: once for all who ask at the same time under the same key. */
  async once(digest: Digest, key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known;
    const pending = this.#pending.get(key) ?? this.#start(digest, key, read);
    return pending;
  }

  #start(digest: Digest, key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const reading = (async () => {
      try {
        const content = await read();
        if (content !== undefined) this.add(digest, content);
        return content;
      } finally {
        this.#pending.delete(key);
      }
    })();
    this.#pending.set(key, reading);
    return reading;
  }
}
