// SPDX-License-Identifier: Apache-2.0
import { descriptorJson, type Descriptor } from '../descriptor.ts';
import { digestOf, type Digest } from '../digest.ts';
import { MediaType } from '../media-type.ts';
import type { BlobSource } from '../repository.ts';
import { PackFault } from './pack-fault.ts';

/** What an image is to be like. */
export interface PackOptions {
  /** `linux` unless told */
  readonly os?: string;
  /** as Go names it (`amd64`, `arm64`); this machine's unless told */
  readonly architecture?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=VALUE` */
  readonly env?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /**
   * Seconds since 1970: when the image was created and its files were changed. Without it no creation is named and files are of 1970.
   * @see https://reproducible-builds.org/docs/source-date-epoch/
   */
  readonly sourceDateEpoch?: number;
}

/** An image that is ready to be pushed. */
export interface PackedImage {
  readonly descriptor: Descriptor;
  readonly manifest: Uint8Array;
  /** what the manifest names: the layer, then the config */
  readonly blobs: readonly [layer: BlobSource, config: BlobSource];
  /** Removes the layer from the disk. */
  close(): Promise<void>;
}

/**
 * Packs a directory as an image of one layer (tar, gzip). It streams: the layer is kept in a temporary directory until `close`, and
 * removed if packing fails. The same files and options give the same layer, config and manifest, byte for byte, with the same runtime
 * (another zlib may compress otherwise; what it compresses, and so the diff ID, is the same everywhere).
 *
 * @throws PackFault
 * @example
 * const packed = await packImage('./service', { entrypoint: ['/serve'] });
 * try { await pushImage(repository, packed, { tag: 'v1' }); } finally { await packed.close(); }
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export async function packImage(directory: string, options: PackOptions = {}): Promise<PackedImage> {
  checkOptions(options);
  // Whoever only signs or verifies shall not load a compressor.
  const { spoolLayer } = await import('./spool-layer.ts');
  const layer = await spoolLayer(directory, options.sourceDateEpoch ?? 0);
  const config = jsonBytes(configOf(layer.diffId, options));
  const configDescriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const layerDescriptor = { mediaType: MediaType.imageLayerGzip, size: layer.size, digest: layer.digest };
  const manifest = jsonBytes({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: descriptorJson(configDescriptor),
    layers: [descriptorJson(layerDescriptor)],
  });
  return {
    descriptor: { mediaType: MediaType.imageManifest, digest: digestOf(manifest), size: manifest.byteLength },
    manifest,
    blobs: [layer, { ...configDescriptor, open: () => once(config) }],
    close: async () => layer.close(),
  };
}

function checkOptions({ env = [], sourceDateEpoch = 0 }: PackOptions): void {
  const malformed = env.find((setting) => !/^[^=\0]+=[^\0]*$/.test(setting));
  if (malformed !== undefined) {
    // Only the name: what is no setting may be a secret all the same.
    const name = JSON.stringify(malformed.split('=', 1)[0]?.slice(0, 40));
    throw new PackFault('option-malformed', `the environment setting ${name} is not NAME=VALUE`);
  }
  if (Number.isSafeInteger(sourceDateEpoch) && sourceDateEpoch >= 0 && sourceDateEpoch <= MAX_EPOCH) return;
  const message = `SOURCE_DATE_EPOCH is ${sourceDateEpoch}, expected seconds since 1970 up to the year 9999`;
  throw new PackFault('option-malformed', message);
}

const MAX_EPOCH = 253_402_300_799;

function configOf(diffId: Digest, options: PackOptions): object {
  const created =
    options.sourceDateEpoch === undefined
      ? {}
      : { created: new Date(options.sourceDateEpoch * 1000).toISOString().replace('.000Z', 'Z') };
  const labels = Object.entries(options.labels ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...created,
    architecture: options.architecture ?? GO_ARCHITECTURES[process.arch] ?? process.arch,
    os: options.os ?? 'linux',
    config: {
      ...(options.env === undefined ? {} : { Env: options.env }),
      ...(options.entrypoint === undefined ? {} : { Entrypoint: options.entrypoint }),
      ...(options.command === undefined ? {} : { Cmd: options.command }),
      ...(labels.length === 0 ? {} : { Labels: Object.fromEntries(labels) }),
    },
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ ...created, created_by: 'bulla image pack' }],
  };
}

/** @see https://go.dev/doc/install/source#environment */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

function jsonBytes(json: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(json));
}
