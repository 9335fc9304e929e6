// SPDX-License-Identifier: Apache-2.0

// A thread that doubles numbers; it ends when it is asked for that of 0, and is asked in a program of its own by `thread-calls.test.ts`.
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { ThreadCalls } from './thread-calls.ts';

const ROLE = 'doubling';
const thread = new ThreadCalls<number, number>(
  ROLE,
  () => new Worker(new URL(import.meta.url), { workerData: ROLE, env: {}, execArgv: [] }),
);
thread.answer(workerData === ROLE ? parentPort : null, async (number) => {
  if (number === 0) process.exit(1);
  await sleep(number % 7); // not in the order of the calls
  return 2 * number;
});

/** In the thread. */
export function double(number: number): Promise<number> {
  return thread.ask(number);
}

if (import.meta.main) process.stdout.write(`${await double(21)}\n`);
