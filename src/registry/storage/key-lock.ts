// SPDX-License-Identifier: Apache-2.0

/** Lets one at a time in, for each key by itself. */
export class KeyLock {
  readonly #tails = new Map<string, Promise<void>>();

  async run<Answer>(key: string, body: () => Promise<Answer>): Promise<Answer> {
    const before = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(key, promise);
    await before;
    try {
      return await body();
    } finally {
      if (this.#tails.get(key) === promise) this.#tails.delete(key);
      resolve();
    }
  }
}
