// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Runs a program that lies beside this one to its end. @returns the one JSON document that it prints @throws Error with its stderr */
export async function runProgram<Result>(name: string, ...args: readonly (string | number)[]): Promise<Result> {
  const words = [join(import.meta.dirname, name), ...args.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout) as Result;
}
