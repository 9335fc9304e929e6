// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** Why a stack does not start, or does not do what it was told to. */
export type UpErrorCode =
  | 'url-malformed'
  | 'url-differs'
  | 'settings-differ'
  | 'path-too-long'
  | 'settings-malformed'
  | 'file-missing'
  | 'file-unreadable'
  | 'checkpoint-copy-failed'
  | 'not-running'
  | 'instruction-malformed'
  | 'instruction-denied'
  | 'instruction-failed'
  | 'backup-exists'
  | 'backup-inside'
  | 'backup-malformed'
  | 'checkpoint-missing'
  | 'checkpoint-malformed'
  | 'stack-missing';

/** A failure of the process that runs a stack, or of one that speaks to it. */
export class UpError extends CodedError<UpErrorCode> {}
