// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** What can be wrong with a request to the log, or with what the log is set up with. */
export type RekorErrorCode =
  /** a body, query or path that is none of this API */
  | 'request-malformed'
  /** an entry that is none of its kind */
  | 'entry-malformed'
  /** a kind or version of entries that this log does not take; the message names it */
  | 'entry-unsupported'
  /** an entry whose signature, certificate chain or digest does not hold */
  | 'signature-invalid'
  /** a key that this log does not take, or one that is not the kind that the entry says it is */
  | 'key-unsupported'
  /** a request, or an entry, of more bytes than are taken */
  | 'too-large'
  /** nothing is kept under this name, or there is nothing at this path */
  | 'not-found'
  /** nothing at this path can be done with this method */
  | 'method-unsupported'
  /** more is asked for at once than is answered at once */
  | 'too-many'
  /** the shard takes no more entries: its time is over */
  | 'log-frozen'
  /** a file of witnesses, or a log to be set up, that contradicts itself */
  | 'settings-malformed'
  /** a witness that answered something else than a cosignature */
  | 'witness-failed'
  /** what a log showed is not what it has signed, or not what it showed before */
  | 'log-inconsistent';

/** A request that the log does not answer. */
export class RekorError extends CodedError<RekorErrorCode> {}
