// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  type Descriptor,
  type ImageManifest,
  RegistryError,
  type Platform,
  type Repository,
  type StoredManifest,
} from '../oci/index.ts';
import { isJsonObject, parseJson, type Json } from '../wire/index.ts';
import { assemble } from './assemble.ts';
import { SbomError } from './error.ts';
import { KnownFiles } from './layer/known-files.ts';
import { readLayer, type Budget } from './layer/read-layer.ts';
import { SBOM_LIMITS, type SbomLimits } from './limits.ts';
import type { ImageContents, LayerName } from './package.ts';
import { matchesPlatform, parsePlatform, platformName } from './platform.ts';

/** How an image is read. */
export interface ReadImageOptions {
  /** `linux/arm64` or `linux/arm/v7`: of an index only this one; all of them unless told */
  readonly platform?: string;
  readonly limits?: Partial<SbomLimits>;
  /** ends the reading with its reason */
  readonly signal?: AbortSignal;
}

const MAX_CONFIG = 4 * 1024 * 1024;
/** levels of indexes within indexes */
const MAX_INDEXES = 3;
/** images of one index that are read */
const MAX_IMAGES = 64;

/**
 * Lists what is inside an image: its packages, by the databases and manifests in its layers. Layers are read as streams, each once, and no
 * engine is asked. Of an index each platform is an image of its own, in the index's order.
 *
 * What cannot be read within an image is a finding in its contents. What makes the image itself unreadable is an error.
 *
 * @param target a tag or digest
 * @throws SbomError; RegistryError
 * @example
 * for await (const contents of readImage(await openLayout('./build'), 'v1')) {
 *   for (const { name, version } of contents.packages) console.log(name, version);
 * }
 */
export async function* readImage(
  repository: Repository,
  target: string,
  options: ReadImageOptions = {},
): AsyncGenerator<ImageContents, void, undefined> {
  const wanted = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const stored = await repository.manifest(target);
  if (stored === undefined) throw new SbomError('image-missing', `${repository.name} has no '${target.slice(0, 200)}'`);
  const images = await findImages(repository, stored, wanted, MAX_INDEXES);
  if (images.length > MAX_IMAGES) {
    throw new SbomError(
      'too-large',
      `${target} is an index of ${images.length} images, at most ${MAX_IMAGES} are read: name one with its platform`,
    );
  }
  let read = 0;
  for (const image of images) {
    const contents = await readOne(repository, image, wanted, options);
    if (contents === undefined) continue;
    read++;
    yield contents;
  }
  if (read > 0) return;
  const asked = wanted === undefined ? 'no image for any platform' : `no image for ${platformName(wanted)}`;
  const others = images.map(({ platform }) => (platform === undefined ? '' : platformName(platform))).filter(Boolean);
  const has = others.length === 0 ? '' : `, only for ${[...new Set(others)].join(', ')}`;
  throw new SbomError('platform-missing', `${repository.name} has under '${target}' ${asked}${has}`);
}

/** An image's manifest, fetched already or not. */
interface ImageName {
  readonly descriptor: Descriptor;
  readonly manifest?: ImageManifest;
  readonly platform?: Platform;
}

async function findImages(
  repository: Repository,
  stored: StoredManifest,
  wanted: Platform | undefined,
  depth: number,
): Promise<readonly ImageName[]> {
  const { descriptor, bytes } = stored;
  const manifest = decodeManifest(bytes, descriptor.mediaType);
  if (manifest.kind === 'image') return [{ descriptor, manifest }];
  const images: ImageName[] = [];
  for (const child of manifest.manifests) {
    // what is for no platform is no image: build provenance, for example
    if (child.platform?.os === 'unknown') continue;
    const nested = /index|manifest\.list/.test(child.mediaType);
    if (!nested) {
      images.push({ descriptor: child, ...(child.platform === undefined ? {} : { platform: child.platform }) });
      continue;
    }
    if (depth === 0)
      throw new SbomError('too-large', `${descriptor.digest} holds indexes more than ${MAX_INDEXES} levels deep`);
    const inner = await repository.manifest(child.digest);
    if (inner === undefined) throw missing(repository, child);
    images.push(...(await findImages(repository, inner, wanted, depth - 1)));
  }
  const unique = new Map(images.map((image) => [image.descriptor.digest, image]));
  const matching = [...unique.values()].filter(
    ({ platform }) => wanted === undefined || platform === undefined || matchesPlatform(platform, wanted),
  );
  // where nothing matches, the caller names what there is
  return matching.length > 0 || wanted === undefined ? matching : [...unique.values()];
}

async function readOne(
  repository: Repository,
  image: ImageName,
  wanted: Platform | undefined,
  options: ReadImageOptions,
): Promise<ImageContents | undefined> {
  if (wanted !== undefined && image.platform !== undefined && !matchesPlatform(image.platform, wanted))
    return undefined;
  const { digest } = image.descriptor;
  const manifest = image.manifest ?? (await fetchManifest(repository, image.descriptor));
  const config = await readConfig(repository, manifest, digest);
  const platform = image.platform ?? config.platform;
  if (wanted !== undefined && !matchesPlatform(platform, wanted)) return undefined;
  const layers = manifest.layers.map((layer, index): LayerName => ({ index, digest: layer.digest }));
  const limits: SbomLimits = { ...SBOM_LIMITS, ...options.limits };
  const budget: Budget = { limits, bytes: 0, entries: 0 };
  const files = new KnownFiles();
  for (const [index, layer] of manifest.layers.entries()) {
    const where = `layer ${index + 1} of ${manifest.layers.length} (${layer.digest.slice(0, 19)}…)`;
    files.apply(index, await readLayer(repository, layer, files, budget, where, options.signal));
  }
  return {
    repository: repository.name,
    digest,
    platform,
    ...(config.created === undefined ? {} : { created: config.created }),
    layers,
    ...assemble(files.files, layers, limits),
  };
}

async function fetchManifest(repository: Repository, descriptor: Descriptor): Promise<ImageManifest> {
  const stored = await repository.manifest(descriptor.digest);
  if (stored === undefined) throw missing(repository, descriptor);
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind === 'image') return manifest;
  throw new SbomError('not-an-image', `${descriptor.digest} is listed as an image and is an index`);
}

interface ImageConfig {
  readonly platform: Platform;
  readonly created?: Date;
}

async function readConfig(repository: Repository, manifest: ImageManifest, digest: string): Promise<ImageConfig> {
  const { config } = manifest;
  if (!/^application\/vnd\.(?:oci\.image\.config|docker\.container\.image)\.v1\+json$/.test(config.mediaType)) {
    const type = (manifest.artifactType ?? config.mediaType).slice(0, 100);
    throw new SbomError('not-an-image', `${digest} is an artifact of type ${JSON.stringify(type)}, not an image`);
  }
  const bytes = await repository.blob(config.digest, MAX_CONFIG);
  if (bytes === undefined) throw missing(repository, config);
  const json = parseJson(bytes, { what: `the configuration of ${digest}`, maxBytes: MAX_CONFIG });
  if (!isJsonObject(json)) throw new SbomError('not-an-image', `the configuration of ${digest} is not a JSON object`);
  const { os, architecture, variant, created } = json;
  const time = timeOf(created);
  return {
    platform: {
      os: textOf(os) ?? 'unknown',
      architecture: textOf(architecture) ?? 'unknown',
      ...(textOf(variant) === undefined ? {} : { variant: textOf(variant) ?? '' }),
    },
    ...(time === undefined ? {} : { created: time }),
  };
}

function textOf(json: Json | undefined): string | undefined {
  return typeof json === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(json) ? json : undefined;
}

function timeOf(json: Json | undefined): Date | undefined {
  const match = typeof json === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(json) ? new Date(json) : undefined;
  return match === undefined || Number.isNaN(match.getTime()) ? undefined : match;
}

function missing(repository: Repository, { digest }: Descriptor): RegistryError {
  return new RegistryError('content-missing', `${repository.name} has no ${digest}, which the image names`);
}
