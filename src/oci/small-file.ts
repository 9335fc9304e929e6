// SPDX-License-Identifier: Apache-2.0

/**
 * All of a file that must be small, a pipe or a device included, whose size is not known before.
 *
 * @throws RangeError where it has more than `maxBytes`; the file system's own errors
 */
export function readSmallFile(path: string, maxBytes: number): Uint8Array {
  const { closeSync, openSync, readSync } = process.getBuiltinModule('node:fs');
  const file = openSync(path, 'r');
  try {
    const chunks: Uint8Array[] = [];
    for (let size = 0; ;) {
      const chunk = new Uint8Array(16_384);
      const read = readSync(file, chunk);
      if (read === 0) return Buffer.concat(chunks);
      size += read;
      if (size > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
      chunks.push(chunk.subarray(0, read));
    }
  } finally {
    closeSync(file);
  }
}
