// SPDX-License-Identifier: Apache-2.0
import type { FileHandle } from 'node:fs/promises';

const CHUNK = 256 * 1024;

/** Reads until `bytes` is full or the file ends. @returns how many bytes were read */
export async function fillFrom(file: FileHandle, bytes: Uint8Array, position: number | null): Promise<number> {
  let filled = 0;
  while (filled < bytes.byteLength) {
    const at = position === null ? null : position + filled;
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, at);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

/** The rest of a file in chunks of 256 KiB, each its own memory. The file stays open. */
export async function* fileChunks(file: FileHandle): AsyncIterable<Uint8Array> {
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const filled = await fillFrom(file, chunk, null);
    if (filled > 0) yield chunk.subarray(0, filled);
    if (filled < CHUNK) return;
  }
}

/** Writes all of `bytes` where the file stands. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) {
    at += (await file.write(bytes, at, bytes.byteLength - at, null)).bytesWritten;
  }
}
