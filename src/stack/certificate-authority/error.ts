// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** Why a certificate authority does not start. */
export type AuthorityErrorCode =
  /** the file of issuers is none, or says what is refused */
  | 'issuers-malformed'
  /** a template with more than names, `index` and `if eq` */
  | 'template-malformed'
  /** the file of rules is none, or has a rule that says nothing */
  | 'rules-malformed'
  /** a chain that cannot issue: not its own key, expired, a log key of a kind that logs do not have */
  | 'authority-malformed';

/** A certificate authority that was asked to start, or to take other keys, and did not. */
export class AuthorityError extends CodedError<AuthorityErrorCode> {}
