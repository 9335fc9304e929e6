// SPDX-License-Identifier: Apache-2.0
import { AdmissionError } from './admission-error.ts';

/** milliseconds that an answer needs on its way: made, sent and read before the API server stops waiting */
const MARGIN = 300;
/** what the API server waits unless it is told otherwise, and at most */
const DEFAULT_TIMEOUT = 10_000;
const MAX_TIMEOUT = 30_000;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/**
 * How many milliseconds a review may take: the `timeout` that the API server says in the address, without the margin.
 *
 * @param target path and query, for example `/validate?timeout=10s`
 */
export function reviewBudget(target: string): number {
  const said = /[?&]timeout=([^&]{1,32})(?:&|$)/.exec(target)?.[1];
  const timeout = Math.min((said === undefined ? undefined : durationOf(said)) ?? DEFAULT_TIMEOUT, MAX_TIMEOUT);
  return timeout > 2 * MARGIN ? timeout - MARGIN : timeout / 2;
}

/** A duration as Go writes it: `10s`, `1m30s`, `1.5s`. */
function durationOf(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|s|m))+$/.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, count = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m)/g))
    milliseconds += Number(count) * (UNITS[unit] ?? 0);
  return milliseconds > 0 ? milliseconds : undefined;
}

/** The time that one review has. */
export class ReviewDeadline {
  readonly #began: number = performance.now();
  readonly #budget: number;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: string) {
    this.#budget = reviewBudget(target);
  }

  /** milliseconds since the review came */
  get elapsed(): number {
    return performance.now() - this.#began;
  }

  /** Aborted with an AdmissionError `deadline` when the time is up. Made when it is first asked for: most reviews wait for nothing. */
  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = (this.#controller = new AbortController());
    const left = this.#budget - this.elapsed;
    const abort = (): void => controller.abort(this.#error());
    if (left <= 0) abort();
    else this.#timer = setTimeout(abort, left);
    return controller.signal;
  }

  /** What a promise gives, if it comes in time. @throws AdmissionError `deadline`, and the promise is left to itself */
  async within<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      return await Promise.race([promise, late]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #error(): AdmissionError {
    return new AdmissionError(
      'deadline',
      `no answer within the ${Math.round(this.#budget)} ms that the API server leaves for it`,
    );
  }
}
