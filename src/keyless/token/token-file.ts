// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';

const MAX_BYTES = 64 * 1024;

/**
 * Reads a file with a token in it. Undefined where there is no such file.
 *
 * @throws KeylessError `token-unreadable`
 */
export async function readTokenFile(path: string): Promise<string | undefined> {
  const fs = process.getBuiltinModule('node:fs');
  const fail = (problem: string): KeylessError =>
    new KeylessError('token-unreadable', `the identity token in ${printable(path, 200)} cannot be read: it ${problem}`);
  let file;
  try {
    // a pipe without a writer must not hold us
    file = await fs.promises.open(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fail(code === 'EACCES' ? 'may not be read by this user' : `cannot be opened (${code})`);
  }
  try {
    if ((await file.stat()).isDirectory()) throw fail('is a folder');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, null);
    if (bytesRead > MAX_BYTES) throw fail(`has more than ${MAX_BYTES} bytes`);
    const text = buffer.toString('utf8', 0, bytesRead).trim();
    if (text === '') throw fail('is empty');
    return text;
  } catch (error) {
    if (error instanceof KeylessError) throw error;
    throw fail(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})`);
  } finally {
    await file.close();
  }
}
