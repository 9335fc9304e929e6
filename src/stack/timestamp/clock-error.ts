// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What keeps a clock from being believed. */
export type ClockErrorCode =
  /** the clock went on by another span than the monotonic clock beside it */
  | 'clock-jumped'
  /** the clock stands before a time that was given earlier */
  | 'clock-behind';

/** A clock that is not believed until somebody has looked at it. */
export class ClockError extends CodedError<ClockErrorCode> {}
