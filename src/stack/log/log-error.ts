// SPDX-License-Identifier: Apache-2.0
import { StoreError } from '../../store/index.ts';
import { CodedError } from '../../wire/index.ts';

/** What can go wrong with a log. What the store says of a broken disk comes as its own StoreError. */
export type LogErrorCode =
  /** more entries wait than the log takes: try again in a moment */
  | 'log-busy'
  /** no space is left; nothing of the batch was kept, and the log goes on once there is space */
  | 'log-full'
  /** it takes no more entries: it was closed, or it stopped because of what it found */
  | 'log-closed'
  /** what is kept contradicts itself or its checkpoint: the log is not opened, or stops */
  | 'log-inconsistent'
  /** another process has written to this log since: this one stops */
  | 'log-superseded'
  /** the entry is kept, and its tree is not published: too few witnesses have signed it. A retry finds the entry */
  | 'witness-missing'
  /** the tree could not be published where it must be (the copy of its checkpoint). The entry is kept, and a retry finds it */
  | 'publication-failed'
  /** an entry that no log takes: too long, no identity of 32 bytes, too many terms or malformed ones */
  | 'entry-malformed'
  /** a size, index or number beyond the tree */
  | 'tree-range'
  /** a search without terms, with too many, or for more than is answered at once */
  | 'search-malformed'
  /** the name of a log that its tables cannot have */
  | 'name-malformed'
  /** there must be a log, and there is none: a new one in its place would be a fork */
  | 'log-missing'
  /** the checkpoint is not one of this log */
  | 'checkpoint-foreign'
  /** nothing says how far a log that was restored had come */
  | 'checkpoint-missing'
  /** the checkpoint is of a larger tree: entries that were published are missing here */
  | 'tree-smaller'
  /** the checkpoint is of another tree: this one would be a fork */
  | 'tree-forked';

/** A log that cannot do what was asked. */
export class LogError extends CodedError<LogErrorCode> {}

/** What the store throws where no space is left, as the log says it; any other error as it is. @param what did not fit */
export function asLogFull(error: unknown, what: string): unknown {
  if (!(error instanceof StoreError) || error.code !== 'full') return error;
  return new LogError('log-full', `no space is left for ${what}: ${error.message}`, { cause: error });
}
