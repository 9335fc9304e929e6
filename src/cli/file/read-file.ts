// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { fileTrouble, systemCode } from './file-trouble.ts';

const PAUSE_MILLISECONDS = 10;

/** What is read, and how much of it at most. */
export interface ReadFileOptions {
  /** relative names start here */
  readonly cwd: string;
  /** names the thing in errors, for example `public key` */
  readonly what: string;
  readonly maxBytes: number;
}

/**
 * Reads a whole file, pipe or device (`<(…)`, `/dev/stdin`) that must be small.
 *
 * @throws CliError `file-missing`, `file-unreadable`, `input-too-large`
 */
export async function readFile(name: string, options: ReadFileOptions): Promise<Uint8Array> {
  const path = resolve(options.cwd, name);
  try {
    // a pipe may keep its reader waiting: signals have to be heard meanwhile
    const bytes = statSync(path).isFile()
      ? readRegular(path, options.maxBytes)
      : await readStream(path, options.maxBytes);
    if (bytes !== undefined) return bytes;
  } catch (error) {
    const missing = systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR';
    throw new CliError(
      missing ? 'file-missing' : 'file-unreadable',
      `reading ${options.what}: open ${name}: ${fileTrouble(error)}`,
      { cause: error },
    );
  }
  throw new CliError('input-too-large', `reading ${options.what}: ${name} is larger than ${options.maxBytes} bytes`);
}

function readRegular(path: string, maxBytes: number): Uint8Array | undefined {
  const handle = openSync(path, 'r');
  try {
    // one byte more than the size shows a file that grew meanwhile
    const buffer = new Uint8Array(Math.min(fstatSync(handle).size, maxBytes) + 1);
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(handle, buffer, length, buffer.length - length, null);
      if (read === 0) return buffer.subarray(0, length);
      length += read;
    }
    return length > maxBytes ? undefined : buffer.subarray(0, length);
  } finally {
    closeSync(handle);
  }
}

/**
 * Reads a pipe or a device without blocking: a thread that waits in the system could not be ended, and would keep the process from ending.
 */
async function readStream(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const chunks: Uint8Array[] = [];
    let length = 0;
    // a named pipe that nobody has opened for writing yet reads like one that ended
    let opened = !isNamedPipe(path);
    for (;;) {
      const chunk = readAvailable(handle);
      if (chunk === undefined || (!opened && chunk.length === 0)) {
        opened ||= chunk === undefined;
        await new Promise((done) => setTimeout(done, PAUSE_MILLISECONDS));
        continue;
      }
      opened = true;
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxBytes) return undefined;
    }
  } finally {
    closeSync(handle);
  }
}

/** @returns nothing at the end, `undefined` where one has to wait */
function readAvailable(handle: number): Uint8Array | undefined {
  const buffer = new Uint8Array(16_384);
  try {
    return buffer.subarray(0, readSync(handle, buffer));
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

/** True for what `mkfifo` made; a pipe that a shell handed over (`/dev/fd/63`) has its writer from the start. */
function isNamedPipe(path: string): boolean {
  return statSync(path).isFIFO() && !/^\/(?:dev|proc)\//.test(path);
}
