// SPDX-License-Identifier: Apache-2.0
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';

/**
 * The whole of a file that somebody named.
 *
 * @param what names it in errors, such as `the trusted root`
 * @throws KeylessError `file-unreadable`
 */
export async function readNamedFile(
  path: string,
  options: { readonly cwd: string; readonly what: string; readonly maxBytes: number },
): Promise<Uint8Array> {
  const { cwd, what, maxBytes } = options;
  const unreadable = (why: string, cause?: unknown): KeylessError =>
    new KeylessError('file-unreadable', `${what} ${printable(path, 200)} cannot be read: ${why}`, { cause });
  let file;
  try {
    file = await open(resolve(cwd, path), 'r');
  } catch (error) {
    throw unreadable(
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : codeOf(error),
      error,
    );
  }
  try {
    const { size } = await file.stat();
    if (size > maxBytes) throw unreadable(`it has ${size} bytes, at most ${maxBytes} are read`);
    return await readAll(file, maxBytes, unreadable);
  } catch (error) {
    if (error instanceof KeylessError) throw error;
    throw unreadable((error as NodeJS.ErrnoException).code === 'EISDIR' ? 'it is a folder' : codeOf(error), error);
  } finally {
    await file.close();
  }
}

// A pipe has no size that could be asked before.
async function readAll(
  file: Awaited<ReturnType<typeof open>>,
  maxBytes: number,
  unreadable: (why: string) => KeylessError,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of file.createReadStream({ autoClose: false }) as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > maxBytes) throw unreadable(`it has more than the ${maxBytes} bytes that are read`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason';
}
