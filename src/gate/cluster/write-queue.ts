// SPDX-License-Identifier: Apache-2.0
import { systemClock, type Clock } from '../../wire/index.ts';

/** How much is written, and who is told of what was not. */
export interface WriteQueueOptions {
  /** writes a second, on average */
  readonly perSecond: number;
  /** writes that may come at once */
  readonly burst: number;
  /** what waits at most; more is dropped */
  readonly capacity: number;
  /** Told why a write failed or was dropped, at most once a minute, with how many were lost since. */
  readonly onLost?: (message: string) => void;
  readonly clock?: Clock;
}

const TELL_MS = 60_000;

/**
 * Writes to the cluster that nobody waits for: a bounded queue with a rate. What does not fit is dropped and counted, never kept; what fails
 * is lost. Nothing here can hold up or change a decision.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #clock: Clock;
  readonly #waiting: Map<string, () => Promise<unknown>> = new Map();
  readonly #ended = new AbortController();
  #tokens: number;
  #filledAt: number;
  #working: Promise<void> | undefined;
  #lost = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#tokens = options.burst;
    this.#filledAt = this.#clock.now();
  }

  /** Writes later. @param key what has the same takes the place of what still waits under it */
  add(key: string, write: () => Promise<unknown>): void {
    if (this.#ended.signal.aborted) return;
    if (!this.#waiting.has(key) && this.#waiting.size >= this.#options.capacity) this.#lose('too many wait');
    else this.#waiting.set(key, write);
    this.#working ??= this.#work();
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** Resolves once nothing waits; for tests. */
  async drained(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /** Writes no more; what waits is dropped. */
  async close(): Promise<void> {
    this.#waiting.clear();
    this.#ended.abort(new Error('the queue is closed'));
    await this.#working;
  }

  async #work(): Promise<void> {
    // not before `#working` is set, which is unset below
    await Promise.resolve();
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) {
        await this.#token();
        try {
          await next();
        } catch (error) {
          this.#lose(error instanceof Error ? error.message : String(error));
        }
      }
    } catch {
      // closed
    } finally {
      this.#working = undefined;
    }
  }

  #next(): (() => Promise<unknown>) | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    this.#waiting.delete(first[0]);
    return first[1];
  }

  async #token(): Promise<void> {
    const { perSecond, burst } = this.#options;
    const now = this.#clock.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    this.#tokens -= 1;
    if (this.#tokens < 0) await this.#clock.sleep((-this.#tokens / perSecond) * 1000, this.#ended.signal);
  }

  #lose(reason: string): void {
    this.#lost += 1;
    const now = this.#clock.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#options.onLost?.(`${this.#lost === 1 ? 'one write was' : `${this.#lost} writes were`} lost: ${reason}`);
    [this.#lost, this.#toldAt] = [0, now];
  }
}
