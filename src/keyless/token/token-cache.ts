// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { decodeIdentityToken, type IdentityToken, type IdentityTokenExpectation } from './identity-token.ts';

/** A login that is asked for. */
export interface KeptLoginExpectation extends IdentityTokenExpectation {
  /** where it was made */
  readonly issuer: string;
}

const MAX_BYTES = 64 * 1024;
const VERSION = 1;

/**
 * Keeps a login in a file for one user, whole or not at all: `{ version, issuer, clientId, token }`.
 *
 * @throws KeylessError `login-unkept`
 * @example await keepLogin(path, token, { issuer: 'https://issuer.example', clientId: 'sigstore' });
 */
export async function keepLogin(
  path: string,
  token: IdentityToken,
  login: { readonly issuer: string; readonly clientId: string },
): Promise<void> {
  const { dirname } = process.getBuiltinModule('node:path');
  const fs = process.getBuiltinModule('node:fs').promises;
  const document = { version: VERSION, issuer: login.issuer, clientId: login.clientId, token: token.text };
  const random = process.getBuiltinModule('node:crypto').randomBytes(8).toString('hex');
  const temporary = `${path}.${random}.new`;
  try {
    await fs.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await fs.open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(document)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new KeylessError('login-unkept', `the login cannot be kept in ${printable(path, 200)} (${code})`, {
      cause: error,
    });
  }
}

/**
 * Reads a login that was kept. Undefined where there is none that is still good for this issuer and client.
 *
 * @throws KeylessError `login-unkept` where others could have read or written the file
 */
export async function readKeptLogin(
  path: string,
  expectation: KeptLoginExpectation,
): Promise<IdentityToken | undefined> {
  const bytes = await readPrivateFile(path);
  if (bytes === undefined) return undefined;
  const { issuer, clientId, now, lastsMs } = expectation;
  try {
    const json: Json = parseJson(bytes, { what: 'a kept login', maxBytes: MAX_BYTES, maxDepth: 4 });
    if (!isJsonObject(json) || json['version'] !== VERSION || typeof json['token'] !== 'string') return undefined;
    if (json['issuer'] !== issuer || json['clientId'] !== clientId) return undefined;
    return decodeIdentityToken(json['token'], { clientId, now, ...(lastsMs === undefined ? {} : { lastsMs }) });
  } catch {
    return undefined; // expired, or not ours: a login makes a new one
  }
}

async function readPrivateFile(path: string): Promise<Uint8Array | undefined> {
  const { constants, promises } = process.getBuiltinModule('node:fs');
  let file;
  try {
    file = await promises.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.size > MAX_BYTES) return undefined;
    const strange = process.getuid !== undefined && stat.uid !== process.getuid();
    if (strange || (process.platform !== 'win32' && (stat.mode & 0o077) !== 0)) {
      throw new KeylessError(
        'login-unkept',
        `the login in ${printable(path, 200)} is not used: the file belongs to another user, or others may read or write it (expected mode 0600)`,
      );
    }
    return await file.readFile();
  } finally {
    await file.close();
  }
}
