// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';

/** The variables that hold the password; the first that is set counts, and may be empty. */
const VARIABLES = ['COSIGN_PASSWORD', 'BULLA_PASSWORD'] as const;
const MAX_PASSWORD_BYTES = 64 * 1024;
const NOWHERE = `there is no terminal to ask on, and neither COSIGN_PASSWORD nor BULLA_PASSWORD is set (either may be empty)`;

type Asker = Pick<CommandContext, 'env' | 'canPrompt' | 'askHidden' | 'readStdin'>;

/** Standard input can be read once; several keys of one command have the same password then. */
const piped: WeakMap<Asker, Promise<Uint8Array>> = new WeakMap();

/**
 * The passwords that may open a key, to be tried in order: from the environment, else asked for on the terminal, else all of standard
 * input as given and then without the newline at its end (`echo pw |` adds one that nobody means).
 *
 * @param what is asked for, for example `private key`
 * @throws CliError `declined`, `no-terminal`, `input-too-large`
 */
export async function passwordsToOpen(context: Asker, what: string): Promise<readonly Uint8Array[]> {
  const set = passwordInEnvironment(context);
  if (set !== undefined) return [set];
  if (context.canPrompt) return [Buffer.from(await context.askHidden(`Enter password for ${what}:`))];
  const given = await pipedPassword(context);
  if (given.length === 0) throw new CliError('no-terminal', `the ${what} needs a password: ${NOWHERE}`);
  const trimmed = withoutNewline(given);
  return trimmed.length === given.length ? [given] : [given, trimmed];
}

/**
 * The password of a key that is being made: from the environment, else asked for twice, else standard input without the newline at
 * its end.
 *
 * @throws CliError `password-mismatch`, `declined`, `no-terminal`, `input-too-large`
 */
export async function passwordToSet(context: Asker): Promise<Uint8Array> {
  const set = passwordInEnvironment(context);
  if (set !== undefined) return set;
  if (context.canPrompt) {
    const first = await context.askHidden('Enter password for private key:');
    const again = await context.askHidden('Enter password for private key again:');
    if (first !== again) throw new CliError('password-mismatch', 'passwords do not match');
    return Buffer.from(first);
  }
  const given = await pipedPassword(context);
  // an empty pipe is no answer: a key without protection has to be asked for
  if (given.length === 0) throw new CliError('no-terminal', `the new private key needs a password: ${NOWHERE}`);
  return withoutNewline(given);
}

/** The password that the environment holds, which may be empty; `undefined` where none is set. */
export function passwordInEnvironment(context: Pick<CommandContext, 'env'>): Uint8Array | undefined {
  const value = VARIABLES.map((name) => context.env[name]).find((set) => set !== undefined);
  return value === undefined ? undefined : Buffer.from(value);
}

function pipedPassword(context: Asker): Promise<Uint8Array> {
  let reading = piped.get(context);
  if (reading === undefined) {
    reading = context.readStdin(MAX_PASSWORD_BYTES);
    piped.set(context, reading);
  }
  return reading;
}

function withoutNewline(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}
