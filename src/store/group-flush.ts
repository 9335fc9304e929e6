// SPDX-License-Identifier: Apache-2.0

/**
 * Lets many share one flush of the same thing. A caller is answered by a flush that began after it asked, never by one that was
 * under way already: that one may have passed over its change.
 */
export class GroupFlush {
  readonly #flush: (path: string) => Promise<void>;
  readonly #next = new Map<string, Promise<void>>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(flush: (path: string) => Promise<void>) {
    this.#flush = flush;
  }

  flush(path: string): Promise<void> {
    const next = this.#next.get(path);
    if (next !== undefined) return next;
    const running = this.#running.get(path) ?? Promise.resolve();
    const mine = running
      .catch(() => undefined) // the failure of others is told to them
      .then(() => {
        this.#next.delete(path);
        this.#running.set(path, mine);
        return this.#flush(path);
      })
      .finally(() => {
        if (this.#running.get(path) === mine) this.#running.delete(path);
      });
    this.#next.set(path, mine);
    return mine;
  }
}
