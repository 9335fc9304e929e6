// SPDX-License-Identifier: Apache-2.0
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { RegistryError, type Descriptor, type Repository } from '../../oci/index.ts';
import { CodedError } from '../../wire/index.ts';
import { SbomError } from '../error.ts';

/** Bytes that the decompressors hand on at a time: fewer, larger pieces cost less than node's 16 KiB. */
const CHUNK = 256 * 1024;

/**
 * The tar archive of a layer, unpacked as it comes: gzip, zstd or plain by its first bytes, since media types are at times wrong. The
 * compressed bytes are checked against the layer's digest, at the end: what was read before must not count until then.
 *
 * @param where names the layer in errors
 * @throws SbomError `layer-malformed`, `layer-unsupported`; RegistryError
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
export async function* openLayer(
  repository: Repository,
  layer: Descriptor,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (layer.mediaType.includes('encrypted')) throw new SbomError('layer-unsupported', `${where} is encrypted`);
  const blob = await repository.openBlob(layer.digest);
  if (blob === undefined) {
    throw new RegistryError('content-missing', `${repository.name} has no ${layer.digest}, which is ${where}`);
  }
  if (blob.size !== layer.size) {
    throw new RegistryError('size-mismatch', `${where} has ${blob.size} bytes, expected ${layer.size}`);
  }
  const body = blob.body[Symbol.asyncIterator]();
  try {
    const head = await readHead(body);
    const decompressor = decompressorOf(head, where);
    const bytes = continued(head, body);
    if (decompressor === undefined) yield* bytes;
    else yield* decompressed(bytes, decompressor, where);
  } finally {
    await body.return?.();
  }
}

type Decompressor = ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

function decompressorOf(head: Uint8Array, where: string): Decompressor | undefined {
  const magic = Buffer.from(head.subarray(0, 6)).toString('hex');
  if (magic.startsWith('1f8b')) return createGunzip({ chunkSize: CHUNK });
  if (magic.startsWith('28b52ffd')) return createZstdDecompress({ chunkSize: CHUNK });
  // a frame to be skipped, as the seekable form of zstd begins with
  if (/^5[0-9a-f]2a4d18/.test(magic)) return createZstdDecompress({ chunkSize: CHUNK });
  const known = { '425a68': 'bzip2', fd377a585a00: 'xz' };
  const other = Object.entries(known).find(([start]) => magic.startsWith(start))?.[1];
  if (other === undefined) return undefined;
  throw new SbomError('layer-unsupported', `${where} is compressed with ${other}, expected gzip, zstd or nothing`);
}

/** The first bytes, at least six unless there are fewer. */
async function readHead(body: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array();
  while (head.length < 6) {
    const next = await body.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* continued(head: Uint8Array, body: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield head;
  for (let next = await body.next(); next.done !== true; next = await body.next()) yield next.value;
}

async function* decompressed(
  bytes: AsyncGenerator<Uint8Array>,
  decompressor: Decompressor,
  where: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  // the end of the body is where its digest is checked: what a decompressor leaves behind its own end is read all the same
  let drained = false;
  const source = (async function* (): AsyncGenerator<Uint8Array> {
    yield* bytes;
    drained = true;
  })();
  const running = pipeline(Readable.from(source, { objectMode: false }), decompressor);
  running.catch(() => undefined);
  try {
    for await (const chunk of decompressor) yield chunk as Uint8Array;
    await running;
  } catch (cause) {
    if (cause instanceof CodedError) throw cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new SbomError('layer-malformed', `${where} cannot be unpacked: ${message}`, { cause });
  }
  if (!drained) for await (const _ of bytes);
}
