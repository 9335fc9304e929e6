// SPDX-License-Identifier: Apache-2.0
import type { SignatureScheme } from '../../trust/index.ts';
import { checkSignature, type SignatureCheck } from './signature-check.ts';
import type { ThreadAnswer } from './signature-thread.ts';

/** So many in one turn of the event loop are worth a thread, which takes as long to start as hundreds of them. */
const MANY = 4;
/** of one message to the thread: what comes first is answered before the last is begun */
const MAX_BATCH = 16;

interface Waiting {
  readonly check: SignatureCheck;
  readonly resolve: (scheme: Promise<SignatureScheme | undefined> | SignatureScheme | undefined) => void;
}

/** Asks the thread that checks signatures. */
export type AskThread = (checks: readonly SignatureCheck[]) => Promise<readonly ThreadAnswer[]>;

/**
 * Checks signatures for a server that has other things to do.
 *
 * What comes in one turn of the event loop is looked at together. As long as that is little, it is done here: a thread would answer no
 * sooner. From the first rush on, the thread does it. What the thread cannot say is found out here, so that the reason is told.
 */
export class SignatureQueue {
  readonly #askThread: AskThread;
  #waiting: Waiting[] = [];
  #busy = false;

  constructor(askThread: AskThread) {
    this.#askThread = askThread;
  }

  /** How it was made; `undefined` if this key did not make it. */
  async check(check: SignatureCheck): Promise<SignatureScheme | undefined> {
    const { promise, resolve } = Promise.withResolvers<SignatureScheme | undefined>();
    if (this.#waiting.push({ check, resolve }) === 1) setImmediate(() => this.#start());
    return await promise;
  }

  #start(): void {
    const all = this.#waiting;
    this.#waiting = [];
    this.#busy ||= all.length >= MANY;
    if (!this.#busy) for (const { check, resolve } of all) resolve(checkSignature(check));
    else for (let at = 0; at < all.length; at += MAX_BATCH) void this.#checkAside(all.slice(at, at + MAX_BATCH));
  }

  async #checkAside(batch: readonly Waiting[]): Promise<void> {
    const answers = await this.#ask(batch.map(({ check }) => check));
    for (const [index, { check, resolve }] of batch.entries()) {
      const answer = answers[index];
      resolve(answer === undefined ? checkSignature(check) : (answer ?? undefined));
    }
  }

  async #ask(checks: readonly SignatureCheck[]): Promise<readonly ThreadAnswer[]> {
    try {
      return await this.#askThread(checks);
    } catch {
      this.#busy = false; // the next rush tries another
      return [];
    }
  }
}

/** That of this process: what it needs is loaded with the first rush. */
export const signatureQueue: SignatureQueue = new SignatureQueue(async (checks) => {
  const { checkOnThread } = await import('./signature-thread.ts');
  return await checkOnThread(checks);
});
