// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can be wrong with policies before anything is decided by them. */
export type PolicyErrorCode =
  /** the documents have faults; the message names the first, with its place */
  | 'policy-malformed'
  /** valid, and something of it cannot be evaluated here: an engine that is not here, a key or document that is elsewhere */
  | 'policy-unresolved'
  /** the engine of a policy's language is not here; the message says what to install */
  | 'engine-missing'
  /** a signed document that is no exception or summary, or says what none may say */
  | 'statement-unusable'
  /** no verification summary can be made of this decision: it is undecided, or rests on an exception or on another summary */
  | 'summary-impossible'
  /** a policy over JSON took too long, or too much memory: what it says is not known */
  | 'program-unfinished';

/** Policies that cannot be used. */
export class PolicyError extends CodedError<PolicyErrorCode> {}
