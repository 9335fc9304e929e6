// SPDX-License-Identifier: Apache-2.0

/**
 * The base of every error that Bulla throws on purpose. `code` is stable and narrows; `message` names the thing, what was
 * found and what was expected, in one line that may be shown to a person.
 *
 * @example
 * if (error instanceof CodedError && error.code === 'digest-mismatch') …
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}
