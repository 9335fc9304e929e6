// SPDX-License-Identifier: Apache-2.0
import { lstatSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import {
  decodeLock,
  isLockPath,
  LOCK_LIMITS,
  MANIFEST_LIMITS,
  PinError,
  readManifestFolder,
  type Lock,
  type ManifestFault,
  type ManifestFile,
} from '../../gate/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { fileTrouble, systemCode } from '../file/file-trouble.ts';
import { readFile } from '../file/read-file.ts';

/** A lock, and the folder that it is about. */
export interface LockFile {
  /** as it was named */
  readonly shown: string;
  /** absolute, without links */
  readonly folder: string;
  /** of the file, in that folder */
  readonly name: string;
  /** undefined where there is none yet */
  readonly text: string | undefined;
  readonly lock: Lock | undefined;
}

/** Files that are to be pinned, by their names in the folder of the lock. */
export interface PinnedPaths {
  /** files and folders, for the lock */
  readonly paths: readonly string[];
  readonly files: readonly ManifestFile[];
  readonly faults: readonly ManifestFault[];
}

/** Reads the lock, if there is one. @throws CliError, PinError for a lock that cannot be used */
export async function readLockFile({ cwd }: Pick<CommandContext, 'cwd'>, shown: string): Promise<LockFile> {
  const path = resolve(cwd, shown);
  const folder = realPath(dirname(path), dirname(shown), 'lock');
  const name = basename(path);
  const about = { shown, folder, name };
  const found = lstatSync(join(folder, name), { throwIfNoEntry: false });
  if (found === undefined) return { ...about, text: undefined, lock: undefined };
  if (!found.isFile()) throw new CliError('usage', `${shown} is not a regular file, expected the lock`);
  const bytes = await readFile(join(folder, name), { cwd, what: 'lock', maxBytes: LOCK_LIMITS.maxBytes });
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  return { ...about, lock: lockOf(bytes, text, shown), text };
}

/** Two branches that pin make a conflict in the lock as a rule; what is in it is made anew by either. */
function lockOf(bytes: Uint8Array, text: string, shown: string): Lock {
  if (/^(?:<{7}|>{7})(?: |$)/m.test(text)) {
    throw new CliError('usage', `${shown} has a conflict of two branches in it`, {
      hint: `take it as it is on either (git checkout --ours ${shown}), and bulla pin writes what is pinned now`,
    });
  }
  try {
    return decodeLock(bytes);
  } catch (error) {
    if (!(error instanceof PinError)) throw error;
    throw new PinError(error.code, `${shown}: ${error.message}`, { cause: error });
  }
}

/**
 * Reads the files that are to be pinned: those that are named, else those that the lock is about. All of them lie in the folder of the lock:
 * whoever writes a lock into a repository cannot have anything outside of it rewritten.
 *
 * @param args as named on the command line
 * @throws CliError `usage` for what lies elsewhere, and where the lock is about more than is named
 */
export async function readPinnedPaths(
  { cwd }: Pick<CommandContext, 'cwd'>,
  args: readonly string[],
  lock: LockFile,
): Promise<PinnedPaths> {
  const known = lock.lock?.paths ?? [];
  if (args.length === 0 && lock.lock === undefined)
    throw new CliError('usage', `name the files or folders to pin: there is no ${lock.shown} that says which`);
  const named =
    args.length === 0
      ? known.map((path) => nameIn(lock, join(lock.folder, path), path))
      : args.map((path) => nameIn(lock, resolve(cwd, requireName(path)), path));
  const paths = withoutInner([...new Set(named)]);
  const missed = known.find((path) => !paths.some((outer) => covers(outer, path)));
  if (missed !== undefined) {
    throw new CliError('usage', `${lock.shown} is about ${missed} too, which is not named`, {
      hint: 'name no PATH to take all that the lock is about, or another lock: --lock FILE',
    });
  }
  const files = new Map<string, ManifestFile>();
  const faults: ManifestFault[] = [];
  for (const path of paths) {
    const at = join(lock.folder, path);
    if (lstatSync(at).isDirectory()) {
      const folder = await readManifestFolder(at, path);
      for (const file of folder.files) files.set(file.name, file);
      faults.push(...folder.faults);
    } else {
      const bytes = await readFile(at, { cwd, what: 'manifest', maxBytes: MANIFEST_LIMITS.maxBytes });
      files.set(path, { name: path, bytes });
    }
  }
  return { paths, files: [...files.values()], faults };
}

/** What is empty is a variable without a value, and not the folder that one happens to be in. */
function requireName(path: string): string {
  if (path === '') throw new CliError('usage', 'the name of a file is empty');
  if (path !== '-') return path;
  throw new CliError('usage', 'standard input cannot be pinned: name the files that are to be written', {
    hint: 'bulla check --file - decides on what a pipe says',
  });
}

/** The name of a file in the folder of the lock, links resolved. */
function nameIn({ folder, shown }: LockFile, path: string, written: string): string {
  const real = realPath(path, written, 'manifest');
  const name = relative(folder, real).split(sep).join('/') || '.';
  if (!isLockPath(name)) {
    throw new CliError('usage', `${written} lies outside of the folder of ${shown}`, {
      hint: 'name a lock in a folder that holds it: --lock FILE',
    });
  }
  const found = lstatSync(real);
  if (found.isFile() || found.isDirectory()) return name;
  throw new CliError('usage', `${written} is neither a file nor a folder`);
}

function realPath(path: string, written: string, what: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    const missing = systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR';
    throw new CliError(
      missing ? 'file-missing' : 'file-unreadable',
      `reading ${what}: open ${written}: ${fileTrouble(error)}`,
      {
        cause: error,
      },
    );
  }
}

function withoutInner(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => !paths.some((outer) => outer !== path && covers(outer, path))).toSorted();
}

function covers(outer: string, path: string): boolean {
  return outer === path || outer === '.' || path.startsWith(`${outer}/`);
}
