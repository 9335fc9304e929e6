// SPDX-License-Identifier: Apache-2.0

/** Reads a stream in pieces of chosen size. */
export class ChunkReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, fewer than asked only at the end. */
  async take(bytes: number): Promise<Uint8Array> {
    const piece = new Uint8Array(bytes);
    let at = 0;
    while (at < bytes) {
      if (this.#rest.byteLength === 0 && !(await this.#fill())) return piece.subarray(0, at);
      const part = this.#rest.subarray(0, bytes - at);
      piece.set(part, at);
      at += part.byteLength;
      this.#rest = this.#rest.subarray(part.byteLength);
    }
    return piece;
  }

  /** Passes over bytes. */
  async skip(bytes: number): Promise<void> {
    for (let left = bytes; left > 0;) {
      if (this.#rest.byteLength === 0 && !(await this.#fill())) return;
      const part = Math.min(left, this.#rest.byteLength);
      this.#rest = this.#rest.subarray(part);
      left -= part;
    }
  }

  /** Lets the source go. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#rest = next.value;
    return true;
  }
}
