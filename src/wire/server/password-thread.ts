// SPDX-License-Identifier: Apache-2.0
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

interface Check {
  readonly number: number;
  readonly password: string;
  /** bcrypt */
  readonly hash: string;
}

interface Checked {
  readonly number: number;
  readonly right: boolean;
}

const ROLE = 'bulla-passwords';

let thread: Worker | undefined;
let numbers = 0;
const waiting = new Map<
  number,
  { readonly resolve: (right: boolean) => void; readonly reject: (error: Error) => void }
>();

/**
 * Compares a password with a bcrypt hash, in a thread of its own. bcrypt is slow by design, and anybody may ask for a check: on the thread that
 * serves, each would hold up every other request by a tenth of a second. The thread starts with the first check, and keeps no process alive.
 *
 * @throws Error where the thread ends; the next check starts another
 */
export function compareAside(password: string, hash: string): Promise<boolean> {
  const running = (thread ??= start());
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const number = ++numbers;
  waiting.set(number, { resolve, reject });
  running.ref();
  running.postMessage({ number, password, hash } satisfies Check, []);
  return promise;
}

function start(): Worker {
  const worker = new Worker(new URL(import.meta.url), { workerData: ROLE, env: {}, execArgv: [] });
  worker.on('message', ({ number, right }: Checked) => {
    waiting.get(number)?.resolve(right);
    waiting.delete(number);
    if (waiting.size === 0) worker.unref();
  });
  const lost = (): void => {
    if (thread === worker) thread = undefined;
    for (const { reject } of waiting.values()) reject(new Error('the thread that checks passwords has ended'));
    waiting.clear();
  };
  worker.on('error', lost).on('exit', lost);
  return worker;
}

if (!isMainThread && workerData === ROLE)
  parentPort?.on('message', ({ number, password, hash }: Check) => {
    const answer = (right: boolean): void => parentPort?.postMessage({ number, right } satisfies Checked, []);
    // A hash that bcrypt does not read is nobody's password.
    void import('bcryptjs').then(({ compare }) => compare(password, hash)).then(answer, () => answer(false));
  });
