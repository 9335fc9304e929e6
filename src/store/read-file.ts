// SPDX-License-Identifier: Apache-2.0
import type { FileSystem } from './file-system.ts';
import type { ByteRange } from './object-store.ts';
import { StoreError } from './store-error.ts';

const READ_BYTES = 512 * 1024;

/** Reads a file in chunks, one ahead of what was asked for. */
export async function* readFile(
  files: FileSystem,
  path: string,
  key: string,
  range?: ByteRange,
): AsyncIterable<Uint8Array> {
  const file = await files.open(path);
  if (file === undefined) throw new StoreError('not-found', `object ${key} is not there`);
  let ahead: Promise<Uint8Array> | undefined;
  try {
    let position = range?.start ?? 0;
    const end = range === undefined ? file.size : range.end + 1;
    if (end > file.size) {
      throw new StoreError('corrupt', `object ${key} has ${file.size} bytes, expected at least ${end}`);
    }
    while (position < end) {
      const chunk = await (ahead ?? file.read(position, Math.min(READ_BYTES, end - position)));
      ahead = undefined;
      if (chunk.byteLength === 0) {
        throw new StoreError('corrupt', `object ${key} ends at byte ${position}, expected ${end}`);
      }
      position += chunk.byteLength;
      if (position < end) {
        ahead = file.read(position, Math.min(READ_BYTES, end - position));
        ahead.catch(() => undefined); // told when it is asked for
      }
      yield chunk;
    }
  } finally {
    await ahead?.catch(() => undefined);
    await file.close();
  }
}
