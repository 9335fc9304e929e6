// SPDX-License-Identifier: Apache-2.0
import { RegistryServeError } from '../serve-error.ts';

/** Users and their bcrypt hashes. */
export type Htpasswd = ReadonlyMap<string, string>;

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
const LARGEST_COST = 15;
const MAX_BYTES = 1024 * 1024;

/**
 * Reads an htpasswd file: a line `user:hash` each, `#` begins a comment. Only bcrypt is accepted, as by docker's registry: all else
 * that htpasswd writes is quick to guess.
 *
 * @param path names the file in errors; no hash appears in them
 * @throws RegistryServeError `htpasswd-malformed`
 * @example htpasswd -Bbn alice secret >registry.htpasswd
 */
export function parseHtpasswd(text: string, path: string): Htpasswd {
  const users = new Map<string, string>();
  const refuse = (line: number, reason: string): never => {
    throw new RegistryServeError('htpasswd-malformed', `${path}:${line}: ${reason}`);
  };
  if (text.length > MAX_BYTES) refuse(1, `the file has ${text.length} characters, at most ${MAX_BYTES} are read`);
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon < 1) refuse(index + 1, 'expected USER:HASH');
    const user = line.slice(0, colon);
    const hash = line.slice(colon + 1);
    const cost = BCRYPT.exec(hash)?.[1];
    if (cost === undefined) {
      refuse(index + 1, `the hash of user ${JSON.stringify(user)} is not bcrypt (write it with htpasswd -B)`);
    } else if (Number(cost) < 4 || Number(cost) > LARGEST_COST) {
      refuse(index + 1, `the hash of user ${JSON.stringify(user)} has cost ${cost}, expected 4 to ${LARGEST_COST}`);
    }
    if (users.has(user)) refuse(index + 1, `user ${JSON.stringify(user)} stands here twice`);
    users.set(user, hash);
  }
  if (users.size === 0) refuse(1, 'there is no user in it');
  return users;
}
