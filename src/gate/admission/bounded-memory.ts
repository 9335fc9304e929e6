// SPDX-License-Identifier: Apache-2.0

/** What is kept: as long as there is room, the least recently used goes first. */
export class BoundedMemory<Value extends object | string | number> {
  readonly #entries: Map<string, Value> = new Map();
  readonly #maxBytes: number;
  readonly #sizeOf: (value: Value) => number;
  #bytes = 0;

  /** @param sizeOf bytes that a value takes, by a fair estimate, the same whenever it is asked; its key is counted here */
  constructor(maxBytes: number, sizeOf: (value: Value) => number) {
    this.#maxBytes = maxBytes;
    this.#sizeOf = sizeOf;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** bytes that are held, by the estimate */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Value | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    // The order of a Map is that of insertion: what is used again goes to its end. Nothing is gained by that while there is room.
    if (this.#bytes * 2 > this.#maxBytes) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: Value): void {
    this.delete(key);
    const bytes = this.#bytesOf(key, value);
    if (bytes > this.#maxBytes / 8) return;
    this.#entries.set(key, value);
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= this.#bytesOf(key, value);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #bytesOf(key: string, value: Value): number {
    return this.#sizeOf(value) + key.length + ENTRY;
  }
}

/** what a Map needs for an entry, with the head of its key */
const ENTRY = 80;
