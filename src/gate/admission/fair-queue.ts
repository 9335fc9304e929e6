// SPDX-License-Identifier: Apache-2.0
import { AdmissionError } from './admission-error.ts';

/** How much may be under way, and wait, at a time. */
export interface QueueLimits {
  readonly running: number;
  /** for one namespace */
  readonly runningEach: number;
  /** beyond `running`, for the first of namespaces that have nothing under way: two with registries that hang keep no third out */
  readonly runningFirst: number;
  readonly waiting: number;
  readonly waitingEach: number;
}

interface Turn {
  start(): void;
}

/**
 * Lets namespaces take turns: one that asks for a thousand images delays its own thousandth, and nobody else's first.
 */
export class FairQueue {
  readonly #limits: QueueLimits;
  /** in the order of their next turn */
  readonly #waiting: Map<string, Turn[]> = new Map();
  readonly #running: Map<string, number> = new Map();
  #underWay = 0;
  #queued = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#queued;
  }

  /**
   * Runs a task when it is the namespace's turn.
   *
   * @throws AdmissionError `overloaded` where too much waits already; what the task throws
   */
  async run<T>(namespace: string, task: () => Promise<T>): Promise<T> {
    await this.#turn(namespace);
    try {
      return await task();
    } finally {
      this.#end(namespace);
    }
  }

  async #turn(namespace: string): Promise<void> {
    if (this.#mayStart(namespace)) {
      this.#begin(namespace);
      return;
    }
    const { waiting, waitingEach } = this.#limits;
    const queue = this.#waiting.get(namespace) ?? [];
    if (queue.length >= waitingEach)
      throw new AdmissionError('overloaded', `${queue.length} images of namespace '${namespace}' wait to be verified`);
    if (this.#queued >= waiting) throw new AdmissionError('overloaded', `${this.#queued} images wait to be verified`);
    this.#waiting.set(namespace, queue);
    this.#queued += 1;
    await new Promise<void>((start) => queue.push({ start }));
  }

  #mayStart(namespace: string): boolean {
    const { running, runningEach, runningFirst } = this.#limits;
    const own = this.#running.get(namespace) ?? 0;
    return own === 0 ? this.#underWay < running + runningFirst : this.#underWay < running && own < runningEach;
  }

  #begin(namespace: string): void {
    this.#underWay += 1;
    this.#running.set(namespace, (this.#running.get(namespace) ?? 0) + 1);
  }

  #end(namespace: string): void {
    this.#underWay -= 1;
    const left = (this.#running.get(namespace) ?? 1) - 1;
    if (left === 0) this.#running.delete(namespace);
    else this.#running.set(namespace, left);
    for (const [next, queue] of this.#waiting) {
      if (!this.#mayStart(next)) continue;
      // its next turn comes after everybody else's
      this.#waiting.delete(next);
      const turn = queue.shift();
      if (queue.length > 0) this.#waiting.set(next, queue);
      this.#queued -= 1;
      this.#begin(next);
      turn?.start();
      return;
    }
  }
}
