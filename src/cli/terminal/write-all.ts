// SPDX-License-Identifier: Apache-2.0
import { writeSync } from 'node:fs';
import { CliError } from '../cli-error.ts';
import { fileTrouble, systemCode } from '../file/file-trouble.ts';

const STDOUT = 1;
const STDERR = 2;
const PAUSE_MILLISECONDS = 5;

/**
 * Writes to standard output and returns when all of it was written: what a command printed before it ends is not lost, and who
 * reads too slowly makes it wait. (`process.stdout` would do neither for pipes, and costs milliseconds to make.)
 *
 * @throws CliError `broken-pipe` where the reader is gone, `output-failed`
 */
export function writeStdout(text: string): void {
  try {
    writeAll(STDOUT, text);
  } catch (error) {
    if (systemCode(error) === 'EPIPE')
      throw new CliError('broken-pipe', 'standard output was closed', { cause: error });
    throw new CliError('output-failed', `cannot write to standard output: ${fileTrouble(error)}`, { cause: error });
  }
}

/** Writes to standard error as far as that is possible: talk that nobody can hear is no reason to fail. */
export function writeStderr(text: string): void {
  try {
    writeAll(STDERR, text);
  } catch {
    // closed or full
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      // a pipe that another process made non-blocking, and that is full
      if (systemCode(error) !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MILLISECONDS);
    }
  }
}
