// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';
import { bytesBlob, digestOf, MediaType, MemoryRepository, type Descriptor, type Repository } from '../oci/index.ts';
import type { FoundPackage, ImageContents } from './package.ts';
import { readImage, type ReadImageOptions } from './read-image.ts';

const RECORDED = join(import.meta.dirname, '../../test/golden/_sbom');

/** One entry of a layer: contents for a file, else what tar-stream takes. */
export type LayerEntry = readonly [name: string, contents: string | Uint8Array | Partial<Omit<Header, 'name'>>];

/** A layer as tar archive. */
export async function layerOf(...entries: readonly LayerEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, contents] of entries) {
    if (typeof contents === 'string') archive.entry({ name }, contents);
    else if (contents instanceof Uint8Array) archive.entry({ name }, Buffer.from(contents));
    else archive.entry({ name, ...contents });
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** How an image is written. */
export interface ImageFixture {
  readonly compression?: 'gzip' | 'zstd' | 'none';
  readonly config?: object;
  readonly tag?: string;
}

/** Puts an image of layers into a repository. Layers that are compressed already are taken as they are. */
export async function putImage(
  repository: MemoryRepository,
  layers: readonly Uint8Array[],
  { compression = 'gzip', config = {}, tag = 'v1' }: ImageFixture = {},
): Promise<Descriptor> {
  const blobs = layers.map((layer) => compressed(layer, compression));
  const configBytes = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', ...config }));
  for (const bytes of [configBytes, ...blobs]) await repository.putBlob(bytesBlob(bytes));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { mediaType: MediaType.imageConfig, digest: digestOf(configBytes), size: configBytes.length },
    layers: blobs.map((bytes) => ({
      mediaType: MediaType.imageLayerGzip,
      digest: digestOf(bytes),
      size: bytes.length,
    })),
  };
  const written = await repository.putManifest(Buffer.from(JSON.stringify(manifest)), MediaType.imageManifest, { tag });
  return written.descriptor;
}

function compressed(layer: Uint8Array, compression: NonNullable<ImageFixture['compression']>): Uint8Array {
  if (layer[0] === 0x1f || compression === 'none') return layer;
  return compression === 'gzip' ? gzipSync(layer) : zstdCompressSync(layer);
}

/** What is read of an image of these layers. */
export async function contentsOf(
  layers: readonly Uint8Array[],
  fixture: ImageFixture = {},
  options: ReadImageOptions = {},
): Promise<ImageContents> {
  const repository = new MemoryRepository('registry.example.com/team/app');
  const { digest } = await putImage(repository, layers, fixture);
  for await (const contents of readImage(repository, digest, options)) return contents;
  throw new Error('no image was read');
}

/** A repository that answers for its blobs otherwise. */
export function withBlobs(repository: MemoryRepository, openBlob: Repository['openBlob']): Repository {
  return new Proxy<Repository>(repository, {
    get(target, member) {
      if (member === 'openBlob') return openBlob;
      const value: unknown = Reflect.get(target, member, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A recorded layer: files of real packages, made as `test/golden/_sbom/README.md` says. */
export function recordedLayer(name: string): Buffer {
  return readFileSync(join(RECORDED, name));
}

/** What a tool said of them: a line a package, columns apart by tabs. */
export function recordedRows(name: string): readonly (readonly string[])[] {
  const text = readFileSync(join(RECORDED, name), 'utf8');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]));
}

/** Packages as such lines. */
export function rowsOf(
  packages: readonly FoundPackage[],
  columns: (found: FoundPackage) => readonly (string | undefined)[],
): readonly (readonly string[])[] {
  return packages.map((found) => columns(found).map((cell) => cell ?? '')).toSorted(byText);
}

/** The order of {@link rowsOf}. */
export function byText(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [a.join('\t'), b.join('\t')];
  return left < right ? -1 : left > right ? 1 : 0;
}
