// SPDX-License-Identifier: Apache-2.0
import { readFile, stat } from 'node:fs/promises';
import { comparePassword } from '../../wire/index.ts';
import { BasicAccess } from './basic-access.ts';
import { parseHtpasswd, type Htpasswd } from './htpasswd.ts';
import { RegistryServeError } from '../serve-error.ts';

const LOOK_AGAIN_MS = 1000;

/**
 * Access by an htpasswd file that may change while the registry runs: it is looked at again at most once a second. A change that
 * cannot be read is reported, and the users from before it stay.
 *
 * @throws RegistryServeError `htpasswd-malformed` where it cannot be read at first
 */
export async function openHtpasswd(
  path: string,
  now: () => number,
  onWarning: (message: string) => void,
): Promise<BasicAccess> {
  let { users, version } = await read(path);
  let looked = now();
  let reported: string | undefined;
  const current = async (): Promise<Htpasswd> => {
    if (now() - looked < LOOK_AGAIN_MS) return users;
    looked = now();
    try {
      if ((await versionOf(path)) === version) return users;
      ({ users, version } = await read(path));
      reported = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== reported) onWarning(`the users stay as they were: ${reason}`);
      reported = reason;
    }
    return users;
  };
  return new BasicAccess(current, comparePassword);
}

async function read(path: string): Promise<{ users: Htpasswd; version: string }> {
  try {
    const version = await versionOf(path);
    return { users: parseHtpasswd(await readFile(path, 'utf8'), path), version };
  } catch (cause) {
    if (cause instanceof RegistryServeError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RegistryServeError('htpasswd-malformed', `${path}: ${reason}`, { cause });
  }
}

async function versionOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${mtimeMs}/${size}/${ino}`;
}
