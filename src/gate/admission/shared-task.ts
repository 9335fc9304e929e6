// SPDX-License-Identifier: Apache-2.0
import type { FairQueue } from './fair-queue.ts';

/**
 * Something that several wait for and that is done once: in the turn of whichever namespace comes first. Who joins what another has asked for
 * does not stand in the other's line.
 */
export class SharedTask<T> {
  readonly result: Promise<T>;
  readonly #queue: FairQueue;
  readonly #work: () => Promise<T>;
  readonly #settle: PromiseWithResolvers<T> = Promise.withResolvers();
  readonly #asked: Set<string> = new Set();
  #begun = false;

  /** @param work done at most once */
  constructor(queue: FairQueue, work: () => Promise<T>) {
    this.#queue = queue;
    this.#work = work;
    this.result = this.#settle.promise;
  }

  /** Takes a place in the namespace's line, unless it has one, or it is being done already. Fails where none of the lines has a place. */
  ask(namespace: string): void {
    if (this.#begun || this.#asked.has(namespace)) return;
    this.#asked.add(namespace);
    this.#queue
      .run(namespace, () => this.#turn())
      .catch((error: unknown) => {
        // Somebody else may have a place in a line that is not full.
        this.#asked.delete(namespace);
        if (this.#begun || this.#asked.size === 0) this.#settle.reject(error);
      });
  }

  async #turn(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    this.#settle.resolve(await this.#work());
  }
}
