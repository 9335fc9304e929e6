// SPDX-License-Identifier: Apache-2.0
import { StoreError, type StoreErrorCode } from './store-error.ts';

/** Primary result codes. @see https://www.sqlite.org/rescode.html */
const CODES: ReadonlyMap<number, StoreErrorCode> = new Map([
  [5, 'busy'],
  [6, 'busy'],
  [8, 'io-failed'],
  [10, 'io-failed'],
  [11, 'corrupt'],
  [13, 'full'],
  [14, 'io-failed'],
  [19, 'constraint-failed'],
  [26, 'corrupt'],
]);

/** SQLITE_IOERR_SHMSIZE: the file beside a database that its readers share cannot grow, which is how a full disk shows there. */
const IOERR_SHMSIZE = 4874;

/** Makes a StoreError of what SQLite threw; parameters never appear in it. */
export function sqliteError(what: string, cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const extended = cause instanceof Error && 'errcode' in cause ? Number(cause.errcode) : 0;
  if (extended === IOERR_SHMSIZE) {
    return new StoreError('full', `${what.replaceAll(/\s+/g, ' ')}: no space is left (${text})`, { cause });
  }
  const code = CODES.get(extended & 0xff) ?? 'statement-failed';
  return new StoreError(code, `${what.replaceAll(/\s+/g, ' ')}: ${text}`, { cause });
}
