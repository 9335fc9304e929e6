// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What can be wrong with a lock, or with files that are to be pinned. */
export type PinErrorCode =
  /** the lock is not what a lock is; the message names the field */
  | 'lock-malformed'
  /** the lock was written in a form that this version does not read */
  | 'lock-version'
  /** the lock has more bytes or entries than are read */
  | 'lock-too-large'
  /** changes to a text that overlap, or lie outside it */
  | 'edit-invalid'
  /** what would have been written does not read as what was decided: nothing is written */
  | 'rewrite-unsound';

/** A lock or a rewriting that cannot be used. */
export class PinError extends CodedError<PinErrorCode> {}
