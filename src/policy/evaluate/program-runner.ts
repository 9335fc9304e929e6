// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import type { Rejection } from '../../image/index.ts';
import { printable } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { PolicyError } from '../error.ts';
import type { CelAnswer, CelRequest } from './cel-worker.ts';
import type { PreparedProgram } from './prepared-policy.ts';

/** milliseconds for one evaluation; the first has to start the thread too */
const DEADLINE = 3000;
const MAX_KEPT = 10_000;

/** Answers that were found before, by what they were made of: for all decisions by the same policies. */
export type KnownAnswers = Map<string, CelAnswer>;

/** Runs policies over JSON in a thread of its own, one after the other, and not twice over the same. */
export class ProgramRunner {
  readonly #now: Date;
  readonly #known: KnownAnswers;
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(now: Date, known: KnownAnswers = new Map()) {
    this.#now = now;
    this.#known = known;
  }

  /**
   * Why a policy refuses an attestation; `undefined` if it does not. Its variables are `statement`, `predicate` and `now`.
   *
   * @param payload the statement: JSON, verified
   * @throws PolicyError `program-unfinished` where it could not be found out
   */
  async refuses(
    program: PreparedProgram,
    payload: Uint8Array,
  ): Promise<Omit<Rejection, 'place' | 'format'> | undefined> {
    const before = Buffer.from('{"statement":');
    const answer = await this.#answer(program, Buffer.concat([before, payload, Buffer.from('}')]), 'statement');
    const found = describe(answer);
    return found === undefined
      ? undefined
      : { code: 'predicate-refused', found, expected: 'a predicate of which the policy approves' };
  }

  /** The same over what the authorities of a policy have found. */
  async refusesMatches(program: PreparedProgram, input: Json): Promise<{ readonly found: string } | undefined> {
    const found = describe(await this.#answer(program, Buffer.from(JSON.stringify(input)), 'matches'));
    return found === undefined ? undefined : { found };
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #answer({ text }: PreparedProgram, variables: Uint8Array, over: string): Promise<CelAnswer> {
    const readsClock = /\bnow\b/.test(text);
    const key = `${over} ${hash('sha256', text)} ${hash('sha256', variables)}`;
    const known = readsClock ? undefined : this.#known.get(key);
    if (known !== undefined) return known;
    const turn = this.#last.then(() => this.#run({ text, variables, now: this.#now.getTime() }));
    // the next has its turn whatever became of this one
    this.#last = turn.catch(() => undefined);
    const answer = await turn;
    if (this.#known.size >= MAX_KEPT) this.#known.clear();
    if (!readsClock) this.#known.set(key, answer);
    return answer;
  }

  async #run(request: CelRequest): Promise<CelAnswer> {
    const { startCelWorker } = await import('./cel-worker.ts');
    const worker = (this.#worker ??= startCelWorker());
    try {
      return await answerOf(worker, request);
    } catch (error) {
      await this.end();
      throw error;
    }
  }
}

function answerOf(worker: Worker, request: CelRequest): Promise<CelAnswer> {
  return new Promise((resolve, reject) => {
    const unfinished = (why: string): void => {
      settle();
      reject(new PolicyError('program-unfinished', `a policy in CEL was not evaluated to its end: ${why}`));
    };
    const onMessage = (answer: CelAnswer): void => {
      settle();
      resolve(answer);
    };
    const onError = (error: unknown): void => {
      unfinished(printable(error instanceof Error ? error.message : String(error), 200));
    };
    const onExit = (): void => unfinished('its thread has ended');
    const timer = setTimeout(() => unfinished(`it took more than ${DEADLINE} ms`), DEADLINE);
    const settle = (): void => {
      clearTimeout(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage(request, []);
  });
}

function describe(answer: CelAnswer): string | undefined {
  if (answer.kind === 'failed') return `it fails: ${printable(answer.message.replaceAll(/\s+/g, ' '), 200)}`;
  return answer.holds ? undefined : 'it is not true';
}
