// SPDX-License-Identifier: Apache-2.0
import { parentPort, Worker, workerData } from 'node:worker_threads';
import { ThreadCalls } from './thread-calls.ts';

interface Check {
  readonly password: string;
  /** bcrypt */
  readonly hash: string;
}

const ROLE = 'bulla: password checks';

const thread = new ThreadCalls<Check, boolean>(
  ROLE,
  () => new Worker(new URL(import.meta.url), { workerData: ROLE, env: {}, execArgv: [] }),
);

/**
 * Compares a password with a bcrypt hash, in a thread of its own. bcrypt is slow by design, and anybody may ask for a check: on the thread that
 * serves, each would hold up every other request by a tenth of a second.
 *
 * @throws Error where the thread ends; the next check starts another
 */
export async function compareAside(password: string, hash: string): Promise<boolean> {
  return await thread.ask({ password, hash });
}

thread.answer(workerData === ROLE ? parentPort : null, async ({ password, hash }) => {
  const { compare } = await import('bcryptjs');
  // A hash that bcrypt does not read is nobody's password.
  return await compare(password, hash).catch(() => false);
});
