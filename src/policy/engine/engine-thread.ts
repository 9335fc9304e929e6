// SPDX-License-Identifier: Apache-2.0
import type { Worker } from 'node:worker_threads';
import { printable } from '../../trust/index.ts';
import { PolicyError } from '../error.ts';

/** What a thread is asked with, and how it says that it could not answer. */
export interface ThreadFailure {
  readonly kind: 'unfinished';
  readonly message: string;
}

/** A thread that is asked one thing after the other, started when it is needed, and ended when it takes too long or fails. */
export class EngineThread<Request, Answer extends { readonly kind: string }> {
  readonly #what: string;
  readonly #start: () => Promise<Worker>;
  readonly #deadline: number;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param what the language, for messages
   * @param deadline milliseconds for one answer; the first has to start the thread too
   */
  constructor(what: string, start: () => Promise<Worker>, deadline: number) {
    this.#what = what;
    this.#start = start;
    this.#deadline = deadline;
  }

  /** @throws PolicyError `program-unfinished` */
  async ask(request: Request): Promise<Answer> {
    const turn = this.#last.then(() => this.#ask(request));
    // the next has its turn whatever became of this one
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #ask(request: Request): Promise<Answer> {
    const worker = (this.#worker ??= await this.#start());
    try {
      const answer = await this.#answerOf(worker, request);
      if (isFailure(answer)) throw unfinished(this.#what, answer.message);
      return answer;
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  #answerOf(worker: Worker, request: Request): Promise<Answer | ThreadFailure> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        settle();
        reject(unfinished(this.#what, why));
      };
      const onMessage = (answer: Answer | ThreadFailure): void => {
        settle();
        resolve(answer);
      };
      const onError = (error: unknown): void => fail(error instanceof Error ? error.message : String(error));
      const onExit = (): void => fail('its thread has ended');
      const timer = setTimeout(() => fail(`it took more than ${this.#deadline} ms`), this.#deadline);
      const settle = (): void => {
        clearTimeout(timer);
        worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      };
      worker.on('message', onMessage).on('error', onError).on('exit', onExit);
      worker.postMessage(request, []);
    });
  }
}

function isFailure(answer: { readonly kind: string }): answer is ThreadFailure {
  return answer.kind === 'unfinished';
}

/** A policy of which it is not known what it says. */
export function unfinished(what: string, why: string): PolicyError {
  const shown = printable(why.replaceAll(/\s+/g, ' ').trim(), 300);
  return new PolicyError('program-unfinished', `a policy in ${what} was not evaluated to its end: ${shown}`);
}
