// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import type { Clock } from './clock.ts';

/** What bounds an exchange from outside. */
export interface Bounds {
  /** milliseconds since 1970 */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
}

/** One signal out of a caller's signal and a deadline. */
export class TimeLimit {
  readonly #controller = new AbortController();
  readonly #bounds: Bounds;
  readonly #host: string;
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #budget: number;
  readonly #abort = (): void => this.#controller.abort(this.#bounds.signal?.reason);
  expired = false;

  /** @param host for the error */
  constructor(bounds: Bounds, host: string, clock: Clock) {
    this.#bounds = bounds;
    this.#host = host;
    this.#clock = clock;
    this.#budget = this.remaining();
    if (bounds.signal?.aborted === true) this.#abort();
    else bounds.signal?.addEventListener('abort', this.#abort, { once: true });
    this.#arm(this.#budget);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** milliseconds */
  remaining(): number {
    return this.#bounds.deadline === undefined ? Infinity : this.#bounds.deadline - this.#clock.now();
  }

  extend(milliseconds: number): void {
    this.#budget = milliseconds;
    this.#arm(milliseconds);
  }

  error(): WireError {
    const budget = `${Math.max(0, Math.round(this.#budget))} ms`;
    return new WireError('timeout', `${this.#host} did not answer completely within the deadline (${budget})`);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#bounds.signal?.removeEventListener('abort', this.#abort);
  }

  #arm(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (milliseconds === Infinity) return;
    const expire = (): void => {
      this.expired = true;
      this.#controller.abort(this.error());
    };
    if (milliseconds <= 0) expire();
    // longer timers overflow to 1 ms
    else this.#timer = setTimeout(expire, Math.min(milliseconds, 2 ** 31 - 1));
  }
}
