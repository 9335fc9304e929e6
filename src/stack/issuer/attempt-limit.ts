// SPDX-License-Identifier: Apache-2.0

/** How often one may try. */
export interface AttemptRate {
  /** tries at once */
  readonly burst: number;
  /** milliseconds until one more is given */
  readonly refill: number;
}

/** Names that are remembered though nobody has them. */
const STRANGERS = 10_000;

/**
 * Counts tries by name: some at once, then one every so often. A try counts before it is made, so that many at the same time are as many
 * tries; one that succeeds is given back.
 */
export class AttemptLimit {
  readonly #rate: AttemptRate;
  readonly #now: () => Date;
  readonly #isKnown: (name: string) => boolean;
  readonly #known = new Map<string, Bucket>();
  // Apart, so that a flood of invented names forgets no tries that count; alike in all else, so that it does not show who is known.
  readonly #strangers = new Map<string, Bucket>();

  constructor(rate: AttemptRate, now: () => Date, isKnown: (name: string) => boolean) {
    this.#rate = rate;
    this.#now = now;
    this.#isKnown = isKnown;
  }

  /** @returns undefined where the try may be made, else the seconds to wait */
  take(name: string): number | undefined {
    const { burst, refill } = this.#rate;
    const now = this.#now().getTime();
    const buckets = this.#isKnown(name) ? this.#known : this.#strangers;
    const bucket = buckets.get(name) ?? { left: burst, at: now };
    const left = Math.min(burst, bucket.left + Math.max(0, now - bucket.at) / refill);
    if (left < 1) return Math.ceil(((1 - left) * refill) / 1000);
    buckets.delete(name);
    buckets.set(name, { left: left - 1, at: now });
    const oldest = this.#strangers.keys().next();
    if (this.#strangers.size > STRANGERS && oldest.done !== true) this.#strangers.delete(oldest.value);
    return undefined;
  }

  /** Forgets the tries of who turned out to be right. */
  forgive(name: string): void {
    this.#known.delete(name);
  }
}

interface Bucket {
  readonly left: number;
  /** milliseconds since 1970 */
  readonly at: number;
}
