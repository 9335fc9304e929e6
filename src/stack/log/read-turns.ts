// SPDX-License-Identifier: Apache-2.0

/** reads between two turns of the event loop: two milliseconds, about */
const READS = 64;

/**
 * Lets the event loop go on between reads of the database, which hold it while they last: however many are asked for at once, by however
 * many, some are made in each turn, in the order in which they were asked for.
 */
export class ReadTurns {
  #asked = 0;
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is the next read's turn. */
  next(): Promise<void> {
    this.#asked += 1;
    return this.#asked % READS === 0 ? this.pass() : this.#last;
  }

  /** Ends the turn, after more work than a read is. */
  pass(): Promise<void> {
    this.#last = this.#last.then(turn);
    return this.#last;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
