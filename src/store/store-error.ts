// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can go wrong with what is kept. */
export type StoreErrorCode =
  // who may open it
  | 'in-use'
  | 'newer-format'
  | 'migration-failed'
  | 'closed'
  // the medium
  | 'full'
  | 'io-failed'
  | 'corrupt'
  // the caller
  | 'key-malformed'
  | 'not-found'
  | 'exists'
  | 'constraint-failed'
  | 'statement-failed'
  | 'busy';

/** A failed operation on the database, on an object or on the directory that holds them. */
export class StoreError extends CodedError<StoreErrorCode> {}

/** Makes a StoreError of what the operating system threw. @param what names the file or operation, in words */
export function fileError(what: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const system = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const text = cause instanceof Error ? cause.message : String(cause);
  if (system === 'ENOSPC' || system === 'EDQUOT') {
    return new StoreError('full', `${what}: no space is left (${text})`, { cause });
  }
  return new StoreError('io-failed', `${what}: ${text}`, { cause });
}
