// SPDX-License-Identifier: Apache-2.0
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, relative } from 'node:path';
import { CliError } from '../cli-error.ts';
import { fileTrouble, systemCode } from './file-trouble.ts';
import { sweepLeftovers, temporaryName } from './leftovers.ts';

/** A file to be written whole. */
export interface NewFile {
  /** absolute */
  readonly path: string;
  readonly bytes: Uint8Array;
  /** permissions, for example `0o600`; the umask may take from them */
  readonly mode: number;
  /** what is replaced hands on its own permissions, and its owner where that is allowed; `mode` is for what was not there */
  readonly keepMode?: boolean;
}

/** How files are written. */
export interface ReplaceOptions {
  /** refuse files that exist with `file-exists` instead of replacing them */
  readonly exclusive?: boolean;
  /** milliseconds since 1970, by which leftovers are old; the system's time unless told */
  readonly now?: number;
}

interface Staged {
  readonly file: NewFile;
  /** where the file really is: a link is followed, not replaced */
  readonly target: string;
  readonly temporary: string;
  /** a second name of what was there */
  readonly saved: string | undefined;
}

// All files or none, each whole:
//   1. every file is written beside its place and flushed       a failure here: nothing happened
//   2. what is replaced gets a second name
//   3. each new file takes its place                            a failure here: the others are put back
//   4. the folders are flushed, the second names removed          killed before: what lies there is swept by who comes next
// Two renames are not one: a power cut within 3 can leave the first file new and the second old.

/**
 * Writes files, all of them or none. What is not a regular file (`/dev/stdout`, a pipe) is written to, never replaced.
 *
 * @throws CliError `file-exists` (with `exclusive`), `file-unwritable`
 */
export function replaceFiles(files: readonly NewFile[], options: ReplaceOptions = {}): void {
  const staged: Staged[] = [];
  const placed: Staged[] = [];
  let current: NewFile | undefined;
  try {
    for (const file of files) {
      current = file;
      const descriptor = descriptorOf(file.path);
      // an open file is written on, as a shell would: to open it anew would cut off what stands in it
      if (descriptor !== undefined) writeFileSync(descriptor, file.bytes);
      else if (isSpecial(file.path)) writeFileSync(file.path, file.bytes);
      else staged.push(stage(file, options));
    }
    for (const item of staged) {
      current = item.file;
      place(item, options);
      placed.push(item);
    }
    for (const folder of new Set(staged.map((item) => dirname(item.target)))) {
      flushFolder(folder);
      sweepLeftovers(folder, options.now);
    }
  } catch (error) {
    for (const item of placed.toReversed()) putBack(item);
    throw trouble(error, current);
  } finally {
    for (const item of staged) {
      rmSync(item.temporary, { force: true });
      if (item.saved !== undefined) rmSync(item.saved, { force: true });
    }
  }
}

function stage(file: NewFile, options: ReplaceOptions): Staged {
  const exists = lstatSync(file.path, { throwIfNoEntry: false }) !== undefined;
  if (exists && options.exclusive === true) throw new CliError('file-exists', `${shown(file.path)} already exists`);
  const target = exists ? realpathSync(file.path) : file.path;
  const temporary = temporaryName(target, 'new');
  const handle = openSync(temporary, 'wx', file.mode);
  try {
    writeFileSync(handle, file.bytes);
    if (exists && file.keepMode === true) takeOver(handle, target);
    fsyncSync(handle);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(handle);
  }
  return { file, target, temporary, saved: exists ? temporaryName(target, 'old') : undefined };
}

/** Gives an open file the owner and the permissions of another. */
function takeOver(handle: number, target: string): void {
  const { uid, gid, mode } = statSync(target);
  const own = fstatSync(handle);
  try {
    if (own.uid !== uid || own.gid !== gid) fchownSync(handle, uid, gid);
  } catch (error) {
    // only the superuser gives files away
    if (systemCode(error) !== 'EPERM') throw error;
  }
  fchmodSync(handle, mode & 0o7777);
}

function place(item: Staged, options: ReplaceOptions): void {
  if (options.exclusive === true) return claim(item);
  if (item.saved !== undefined) tryLink(item.target, item.saved);
  renameSync(item.temporary, item.target);
}

/** Takes a name that nobody has: of two processes one gets it. */
function claim(item: Staged): void {
  if (tryLink(item.temporary, item.target)) return;
  // a file system without hard links: the empty file is the claim
  closeSync(openSync(item.target, 'wx', item.file.mode));
  renameSync(item.temporary, item.target);
}

/** @returns false where the file system has no hard links */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'].includes(systemCode(error) ?? '')) return false;
    throw error;
  }
}

function putBack(item: Staged): void {
  try {
    if (item.saved === undefined) rmSync(item.target, { force: true });
    else renameSync(item.saved, item.target);
  } catch {
    // the error that led here is the one to report
  }
}

function flushFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } catch {
    // not every file system flushes folders; then its renames are as durable as it makes them
  } finally {
    closeSync(handle);
  }
}

function descriptorOf(path: string): number | undefined {
  if (path === '/dev/stdout') return 1;
  if (path === '/dev/stderr') return 2;
  const number = /^\/(?:dev|proc\/self)\/fd\/(\d{1,9})$/.exec(path)?.[1];
  return number === undefined ? undefined : Number(number);
}

function isSpecial(path: string): boolean {
  let target = path;
  try {
    target = realpathSync(path);
  } catch {
    return false;
  }
  const found = lstatSync(target, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}

function trouble(error: unknown, file: NewFile | undefined): CliError {
  if (error instanceof CliError) return error;
  const name = shown(file?.path ?? '');
  if (systemCode(error) === 'EEXIST') return new CliError('file-exists', `${name} already exists`, { cause: error });
  return new CliError('file-unwritable', `cannot write ${name}: ${fileTrouble(error)}`, { cause: error });
}

function shown(path: string): string {
  const short = relative('.', path);
  return short === '' || short.startsWith('..') ? path : short;
}
