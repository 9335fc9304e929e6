// SPDX-License-Identifier: Apache-2.0
import { lstatSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { RewrittenFile } from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import { replaceFiles, type NewFile } from '../file/replace-files.ts';
import type { LockFile } from './pinned-paths.ts';

// All files or none, the lock last:
//   1. every file is read again: one that is not as it was when its images were decided on ends it     nothing happened
//   2. the new files are written beside the old ones and flushed                                       nothing happened
//   3. each takes its place, the lock last; what fails is put back. Nothing else runs in between
// Killed within 3, some files are new and whole, the others old and whole, and the lock is old: `--check` names what is not locked, and
// the same command once more finishes the work.

/** Writes what was planned. @throws CliError `file-unwritable`, also where a file has changed meanwhile */
export function writePins(files: readonly RewrittenFile[], lock: LockFile, text: string): void {
  const changed: NewFile[] = files.map(({ name, before, after }) => {
    const path = join(lock.folder, name);
    requireUnchanged(path, name, before);
    return { path, bytes: new TextEncoder().encode(after), mode: 0o644, keepMode: true };
  });
  const path = join(lock.folder, lock.name);
  requireUnchanged(path, lock.shown, lock.text);
  if (text !== lock.text) changed.push({ path, bytes: new TextEncoder().encode(text), mode: 0o644, keepMode: true });
  replaceFiles(changed);
}

/** The lock was decided on and is written where it was: by no link that was laid there meanwhile. */
function requireUnchanged(path: string, shown: string, before: string | undefined): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined && before === undefined) return;
  if (found?.isFile() === true && before !== undefined && realpathSync(path) === path)
    if (Buffer.from(before).equals(readFileSync(path))) return;
  throw new CliError('file-unwritable', `${shown} has changed while its images were decided on; nothing is written`, {
    hint: 'run it again',
  });
}
