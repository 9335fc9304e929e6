// SPDX-License-Identifier: Apache-2.0
import { RegistryError } from '../../oci/index.ts';
import { AdmissionError } from './admission-error.ts';
import type { LargeReads } from './large-reads.ts';

/** What verifications may hold in memory. Bytes, milliseconds. */
export interface EvidenceLimits {
  /** one thing that is read without waiting: most seals are smaller */
  readonly probe: number;
  /** what one verification reads without waiting: most images have less beside them */
  readonly small: number;
  /** what it reads at most */
  readonly large: number;
  /** how long one waits that needs more than the small share, while another reads much */
  readonly waitMs: number;
  /** how long one may read much while another namespace waits to */
  readonly holdMs: number;
  /** how long one verification takes at most, whoever waits for it */
  readonly totalMs: number;
}

/** What one verification has read, and how long it takes. */
export class EvidenceBudget {
  readonly #limits: EvidenceLimits;
  readonly #large: LargeReads;
  readonly #namespace: string;
  readonly #controller: AbortController = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #spent = 0;
  #turn: Promise<() => void> | undefined;

  /** @param namespace whose turn is used where it is much */
  constructor(limits: EvidenceLimits, large: LargeReads, namespace: string) {
    this.#limits = limits;
    this.#large = large;
    this.#namespace = namespace;
    this.#timer = setTimeout(() => {
      this.#controller.abort(new AdmissionError('deadline', `the evidence was not read within ${limits.totalMs} ms`));
    }, limits.totalMs);
    this.#timer.unref();
  }

  /**
   * Reads something whose size is not known: what is small at once, what turns out to be large when it is its turn.
   *
   * @param wanted bytes that it may have at most
   * @throws AdmissionError `evidence-capped`, `overloaded`, `deadline`; what the call throws
   */
  async read<T extends { readonly byteLength: number }>(
    wanted: number,
    call: (maxBytes: number) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const { probe, small, large } = this.#limits;
    const first = Math.min(wanted, probe, small - this.#spent);
    if (first > 0 && this.#turn === undefined) {
      try {
        return await this.#reserved(first, call);
      } catch (error) {
        // A registry says how large a blob is before it is read.
        if (!isTooLarge(error) || first === wanted) throw error;
      }
    }
    await this.#largeTurn();
    const most = Math.min(wanted, large - this.#spent);
    if (most <= 0) throw this.#capped();
    try {
      return await this.#reserved(most, call);
    } catch (error) {
      throw isTooLarge(error) && most < wanted ? this.#capped() : error;
    }
  }

  /** Something was read. @throws AdmissionError `evidence-capped`, `overloaded` */
  async spend(bytes: number): Promise<void> {
    this.#spent += bytes;
    if (this.#spent > this.#limits.large) throw this.#capped();
    if (this.#spent > this.#limits.small) await this.#largeTurn();
  }

  // What is being read at the same time counts as if it were as large as it may be.
  async #reserved<T extends { readonly byteLength: number }>(
    bytes: number,
    call: (maxBytes: number) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    this.#spent += bytes;
    let found: T | undefined;
    try {
      found = await this.within(() => call(bytes));
      return found;
    } finally {
      this.#spent -= bytes - (found?.byteLength ?? 0);
    }
  }

  async #largeTurn(): Promise<void> {
    this.#turn ??= this.#large.turn(this.#namespace, this.#limits, (reason) => this.#controller.abort(reason));
    await this.#turn;
  }

  /** @throws AdmissionError `deadline`; what the call throws */
  async within<T>(call: () => Promise<T>): Promise<T> {
    const { signal } = this.#controller;
    signal.throwIfAborted();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([call(), late]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** What was read is let go. */
  end(): void {
    clearTimeout(this.#timer);
    this.#turn?.then(
      (end) => end(),
      () => undefined,
    );
  }

  #capped(): AdmissionError {
    return new AdmissionError(
      'evidence-capped',
      `more than ${this.#limits.large} bytes of evidence lie beside the image, which is more than the gate reads`,
    );
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof RegistryError && error.code === 'too-large';
}
