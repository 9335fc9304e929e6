// SPDX-License-Identifier: Apache-2.0
import type { AnsweredRequest } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';

/** Says on stderr how a request was answered: one that failed always, the others with `--verbose`. */
export function logRequest(
  context: CommandContext,
  { method, path, status, milliseconds, address, error }: AnsweredRequest,
): void {
  if (error !== undefined) {
    const cause = error instanceof Error ? error.message : 'unknown';
    context.warn(`${method} ${path} ${status}: ${cause}`);
  } else context.debug(`${address} ${method} ${path} ${status} ${milliseconds.toFixed(1)} ms`);
}

/** Waits until the command is told to end. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
