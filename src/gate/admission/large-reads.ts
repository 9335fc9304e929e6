// SPDX-License-Identifier: Apache-2.0
import { AdmissionError } from './admission-error.ts';

/** How long one waits for its turn, and has it. Milliseconds. */
export interface TurnLimits {
  readonly waitMs: number;
  /** while another namespace waits */
  readonly holdMs: number;
}

interface Turn {
  readonly namespace: string;
  readonly holdMs: number;
  readonly begin: () => void;
  readonly giveUp: (reason: AdmissionError) => void;
  timer: NodeJS.Timeout | undefined;
}

/**
 * One verification at a time may read much: a storm of images with mountains of evidence holds one mountain in memory and not a thousand,
 * and images with as much as usual pass it by. Namespaces take turns, and none keeps others waiting for long.
 */
export class LargeReads {
  /** in the order of their next turn */
  readonly #waiting: Map<string, Set<Turn>> = new Map();
  #held: Turn | undefined;

  /**
   * Waits for the turn. The answer ends it.
   *
   * @param giveUp told where it has lasted too long for those who wait; the turn ends with what the call returns all the same
   * @throws AdmissionError `overloaded`
   */
  async turn(
    namespace: string,
    { waitMs, holdMs }: TurnLimits,
    giveUp: (reason: AdmissionError) => void,
  ): Promise<() => void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn: Turn = { namespace, holdMs, begin: resolve, giveUp, timer: undefined };
    const line = this.#waiting.get(namespace) ?? new Set();
    line.add(turn);
    this.#waiting.set(namespace, line);
    this.#next();
    const late = setTimeout(() => {
      this.#leave(turn);
      reject(new AdmissionError('overloaded', 'too much evidence is being read for other images'));
    }, waitMs);
    try {
      await promise;
    } finally {
      clearTimeout(late);
    }
    return () => this.#end(turn);
  }

  #next(): void {
    if (this.#held !== undefined) {
      this.#watch(this.#held);
      return;
    }
    for (const [namespace, line] of this.#waiting) {
      const [turn] = line;
      // its next turn comes after everybody else's
      this.#waiting.delete(namespace);
      if (turn === undefined) continue;
      line.delete(turn);
      if (line.size > 0) this.#waiting.set(namespace, line);
      this.#held = turn;
      turn.begin();
      this.#watch(turn);
      return;
    }
  }

  /** From when another namespace waits, it may last so long. */
  #watch(turn: Turn): void {
    if (turn.timer !== undefined || [...this.#waiting.keys()].every((waiting) => waiting === turn.namespace)) return;
    turn.timer = setTimeout(() => {
      turn.giveUp(new AdmissionError('overloaded', 'its evidence takes too long to read, and other images wait'));
    }, turn.holdMs);
  }

  #leave(turn: Turn): void {
    const line = this.#waiting.get(turn.namespace);
    line?.delete(turn);
    if (line?.size === 0) this.#waiting.delete(turn.namespace);
  }

  #end(turn: Turn): void {
    clearTimeout(turn.timer);
    if (this.#held !== turn) return;
    this.#held = undefined;
    this.#next();
  }
}
