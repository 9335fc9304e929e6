// SPDX-License-Identifier: Apache-2.0

/** Where a command's data goes. */
export interface Sink {
  /** something was written */
  readonly used: boolean;
  write(text: string): void;
  /** What was written stands. */
  commit(): void;
  /** What was not committed is gone. */
  discard(): void;
}
