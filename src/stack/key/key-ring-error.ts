// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What can be wrong with the keys of a stack. */
export type KeyRingErrorCode =
  /** there is no ring, and none was to be made */
  | 'ring-missing'
  /** the manifest cannot be read, or says what its files do not */
  | 'ring-malformed'
  /** written by a later version of this program */
  | 'ring-newer'
  /** the keys are encrypted, and no password was given */
  | 'password-missing'
  /** the password does not open them */
  | 'password-wrong'
  /** a password was given, and the keys are not encrypted */
  | 'password-unused'
  /** the file of a key is gone */
  | 'key-missing'
  /** a key is kept elsewhere, and needed */
  | 'key-offline'
  /** a file holds another key than its manifest says */
  | 'key-mismatch'
  /** no key has this role */
  | 'role-vacant'
  /** another process, or another rotation, has changed the ring */
  | 'ring-changed';

/** The keys of a stack cannot be used. No message holds a secret. */
export class KeyRingError extends CodedError<KeyRingErrorCode> {}
