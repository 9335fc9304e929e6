// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { DigestStream, type Digest } from '../digest.ts';
import { fileChunks, writeAll } from '../file-chunks.ts';
import type { BlobSource } from '../repository.ts';
import { PackFault } from './pack-fault.ts';
import { tarDirectory } from './tar-directory.ts';

/** The byte of gzip's header that names the compressing system: nothing of the machine shall get in. */
const GZIP_SYSTEM = 9; // https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1
const GZIP_UNKNOWN = 255;

/** A compressed layer in a temporary directory. */
export interface SpooledLayer extends BlobSource {
  /** of what was compressed */
  readonly diffId: Digest;
  /** removes it from the disk */
  close(): Promise<void>;
}

/**
 * Packs a directory into a layer on disk, streaming. Where it fails, nothing is left.
 *
 * @param mtime seconds since 1970, for every file
 * @throws PackFault
 */
export async function spoolLayer(directory: string, mtime: number): Promise<SpooledLayer> {
  const spool = await realpath(tmpdir())
    .then(async (temporary) => mkdtemp(join(temporary, 'bulla-pack-')))
    .catch((cause: unknown) => Promise.reject(spoolFault(cause)));
  const close = async (): Promise<void> => rm(spool, { recursive: true, force: true });
  try {
    const root = await realpath(directory).catch(() => directory);
    const path = join(spool, 'layer.tar.gz');
    const written = await writeLayer(path, tarDirectory(root, { mtime, except: spool }));
    return { ...written, open: () => chunksAt(path), close };
  } catch (cause) {
    await close();
    // What is packed fails with a PackFault; a bare system call was the spool's.
    throw cause instanceof Error && 'syscall' in cause ? spoolFault(cause) : cause;
  }
}

async function writeLayer(
  path: string,
  archive: AsyncIterable<Uint8Array>,
): Promise<Pick<SpooledLayer, 'digest' | 'diffId' | 'size'>> {
  const [whole, compressed] = [new DigestStream(), new DigestStream()];
  let size = 0;
  const file = await open(path, 'wx');
  try {
    await pipeline(
      async function* () {
        for await (const chunk of archive) {
          whole.update(chunk);
          yield chunk;
        }
      },
      createGzip({ chunkSize: 256 * 1024 }),
      async (chunks: AsyncIterable<Uint8Array>) => {
        for await (const chunk of chunks) {
          if (size === 0) chunk[GZIP_SYSTEM] = GZIP_UNKNOWN;
          compressed.update(chunk);
          size += chunk.byteLength;
          await writeAll(file, chunk);
        }
      },
    );
  } finally {
    await file.close();
  }
  return { digest: compressed.digest(), diffId: whole.digest(), size };
}

async function* chunksAt(path: string): AsyncIterable<Uint8Array> {
  const file = await open(path);
  try {
    yield* fileChunks(file);
  } finally {
    await file.close();
  }
}

function spoolFault(cause: unknown): PackFault {
  const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const message = `cannot write the layer to the temporary directory ${tmpdir()}: ${reason} (TMPDIR names another)`;
  return new PackFault('spool-failed', message, { cause });
}
