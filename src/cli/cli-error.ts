// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can be wrong with a command line, or with this machine while it is carried out. */
export type CliErrorCode =
  // the command line
  | 'usage'
  | 'unknown-command'
  | 'unknown-flag'
  | 'flag-invalid'
  | 'flag-refused'
  // files, standard input, environment
  | 'file-missing'
  | 'file-unreadable'
  | 'file-exists'
  | 'file-unwritable'
  | 'variable-missing'
  | 'input-too-large'
  | 'key-reference-unsupported'
  | 'identities-malformed'
  // what was asked for
  | 'attestation-missing'
  // sealing
  | 'seal-unverifiable'
  // a service that answers something else than was asked
  | 'answer-unusable'
  // asking a person
  | 'no-terminal'
  | 'declined'
  | 'password-mismatch'
  // what ends a command
  | 'broken-pipe'
  | 'output-failed'
  | 'network-forbidden'
  | 'timeout'
  | 'interrupted'
  | 'terminated';

/** An error of the command line itself. `hint` is a second line: what to do about it. */
export class CliError extends CodedError<CliErrorCode> {
  readonly hint?: string;

  constructor(code: CliErrorCode, message: string, options: ErrorOptions & { readonly hint?: string } = {}) {
    super(code, message, options.cause === undefined ? {} : { cause: options.cause });
    if (options.hint !== undefined) this.hint = options.hint;
  }
}
