// SPDX-License-Identifier: Apache-2.0
import { digestOfSecret, newSecret } from './secret.ts';

/** What waits at most, and how long. */
export interface PendingLimits {
  readonly count: number;
  /** milliseconds */
  readonly life: number;
}

/**
 * Things that wait under a secret: for some minutes, in memory, a bounded number of them. They are looked up by the digest of their
 * secret, so that the time that this takes tells nothing.
 */
export class Pending<Value> {
  readonly #limits: PendingLimits;
  readonly #now: () => Date;
  /** oldest first, and all live equally long */
  readonly #waiting = new Map<string, { readonly value: Value; readonly ends: number }>();

  constructor(limits: PendingLimits, now: () => Date) {
    this.#limits = limits;
    this.#now = now;
  }

  /** @returns the new secret; undefined where too many wait: those who wait are not driven out */
  add(value: Value): string | undefined {
    this.#sweep();
    if (this.#waiting.size >= this.#limits.count) return undefined;
    const secret = newSecret();
    this.#waiting.set(keyOf(secret), { value, ends: this.#now().getTime() + this.#limits.life });
    return secret;
  }

  get(secret: string): Value | undefined {
    const found = this.#waiting.get(keyOf(secret));
    return found === undefined || found.ends <= this.#now().getTime() ? undefined : found.value;
  }

  /** As `get`, and it waits no longer: whatever becomes of it, it is given once. */
  take(secret: string): Value | undefined {
    const value = this.get(secret);
    this.#waiting.delete(keyOf(secret));
    return value;
  }

  #sweep(): void {
    const now = this.#now().getTime();
    for (const [key, { ends }] of this.#waiting) {
      if (ends > now) return;
      this.#waiting.delete(key);
    }
  }
}

function keyOf(secret: string): string {
  return digestOfSecret(secret).toString('base64');
}
