// SPDX-License-Identifier: Apache-2.0
import { RegistryError } from '../error.ts';

/** The system's name for what went wrong (`ENOSPC`), where it has one. */
export function systemCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
}

/** True where a file, or a directory on the way to it, is not there. */
export function isAbsent(cause: unknown): boolean {
  return systemCode(cause) === 'ENOENT' || systemCode(cause) === 'ENOTDIR';
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EEXIST: 'something else has that name',
  ENOSPC: 'no space left on the device',
  ENOTDIR: 'what it should lie in is no directory',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
};

/** What the file system answered with as an error of the room; errors of the room stay as they are. @param what as in "cannot …" */
export function storageError(cause: unknown, what: string): RegistryError {
  if (cause instanceof RegistryError) return cause;
  const code = systemCode(cause);
  const words = WORDS[code];
  return new RegistryError('storage-failed', `cannot ${what}: ${words === undefined ? code : `${words} (${code})`}`, {
    cause,
  });
}

/** The result of a file system call; `undefined` where the file is not there. @throws RegistryError `storage-failed` */
export async function unlessAbsent<T>(found: Promise<T>, what: string): Promise<T | undefined> {
  try {
    return await found;
  } catch (cause) {
    if (isAbsent(cause)) return undefined;
    throw storageError(cause, what);
  }
}
