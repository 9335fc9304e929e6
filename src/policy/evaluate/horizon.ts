// SPDX-License-Identifier: Apache-2.0
import type { PreparedProgram } from './prepared-policy.ts';

/** How far into the future an answer reaches: the first moment at which an age, an expiry or a revocation could change it. */
export class Horizon {
  readonly now: Date;
  #until: number | undefined;
  #readsClock = false;

  constructor(now: Date) {
    this.now = now;
  }

  /** Something that was looked at changes then. What has changed already does not change again. */
  reaches(time: Date): void {
    const at = time.getTime();
    if (at > this.now.getTime() && (this.#until === undefined || at < this.#until)) this.#until = at;
  }

  /** A policy over JSON was evaluated. */
  evaluated({ readsClock }: PreparedProgram): void {
    if (readsClock) this.#readsClock = true;
  }

  get until(): Date | undefined {
    return this.#until === undefined ? undefined : new Date(this.#until);
  }

  get readsClock(): boolean {
    return this.#readsClock;
  }
}
