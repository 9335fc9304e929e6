// SPDX-License-Identifier: Apache-2.0
import type { MessagePort, Transferable, Worker } from 'node:worker_threads';

interface Call<Question> {
  readonly number: number;
  readonly question: Question;
}

interface Answered<Answer> {
  readonly number: number;
  readonly answer: Answer;
}

interface Caller<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread that is asked many things at a time. It starts with the first, and keeps no process alive. The module that makes one is both its sides.
 *
 * @example
 * const ROLE = 'doubling';
 * const start = () => new Worker(new URL(import.meta.url), { workerData: ROLE, env: {}, execArgv: [] });
 * const thread = new ThreadCalls<number, number>(ROLE, start);
 * thread.answer(workerData === ROLE ? parentPort : null, async (number) => 2 * number);
 * export const double = (number: number): Promise<number> => thread.ask(number);
 */
export class ThreadCalls<Question, Answer> {
  readonly #role: string;
  readonly #start: () => Worker;
  readonly #callers = new Map<number, Caller<Answer>>();
  #worker: Worker | undefined;
  #numbers = 0;

  /**
   * @param role what the thread does, for messages
   * @param start of a thread that runs the same module
   */
  constructor(role: string, start: () => Worker) {
    this.#role = role;
    this.#start = start;
  }

  /**
   * @param transfer what of the question is handed over and not copied
   * @throws Error where the thread ends; the next call starts another
   */
  async ask(question: Question, transfer: readonly Transferable[] = []): Promise<Answer> {
    const worker = (this.#worker ??= this.#open());
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const number = ++this.#numbers;
    this.#callers.set(number, { resolve, reject });
    worker.ref();
    worker.postMessage({ number, question } satisfies Call<Question>, [...transfer]);
    return await promise;
  }

  #open(): Worker {
    const worker = this.#start();
    worker.on('message', ({ number, answer }: Answered<Answer>) => {
      this.#callers.get(number)?.resolve(answer);
      this.#callers.delete(number);
      if (this.#callers.size === 0) worker.unref();
    });
    const lost = (): void => {
      // An error is followed by the end, when another may have been started.
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      for (const { reject } of this.#callers.values()) reject(new Error(`the thread for '${this.#role}' has ended`));
      this.#callers.clear();
    };
    worker.on('error', lost).on('exit', lost);
    return worker;
  }

  /**
   * Answers what is asked.
   *
   * @param port of the thread; `null` where this is none, which does nothing
   */
  answer(port: MessagePort | null, answer: (question: Question) => Promise<Answer>): void {
    port?.on('message', ({ number, question }: Call<Question>) => {
      void answer(question).then((one) => port.postMessage({ number, answer: one } satisfies Answered<Answer>, []));
    });
  }
}
