// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  MediaType,
  RegistryError,
  type Descriptor,
  type Digest,
  type Repository,
} from '../../oci/index.ts';
import { printable, repeatedMember } from '../../trust/index.ts';

/** An image that an index lists for one platform. */
export interface IndexedPlatform {
  /** for example `linux/arm64/v8`; `unnamed` where the index does not say */
  readonly name: string;
  /** as the index says it */
  readonly platform: Descriptor['platform'];
  readonly digest: Digest;
  /** indexes in the index that list it: what lies beside them counts for it too */
  readonly within: readonly Digest[];
}

/** Each costs requests of its own. Docker's official images have about 15. */
const MAX_PLATFORMS = 64;
const MAX_INDEXES = 16;
const MAX_DEPTH = 4;
const INDEXES: ReadonlySet<string> = new Set([MediaType.imageIndex, MediaType.dockerManifestList]);
const IMAGES: ReadonlySet<string> = new Set([MediaType.imageManifest, MediaType.dockerManifest]);

/** Whether this is the media type of an image for one platform. */
export function saysImage(mediaType: string | undefined): boolean {
  return mediaType !== undefined && IMAGES.has(mediaType.split(';', 1)[0]?.trim().toLowerCase() ?? '');
}

/**
 * The platforms of an index, those of indexes in it too, each once; `undefined` for what is no index, or is not there. All that can be run
 * counts: only what is for the platform `unknown/unknown` is left out, as BuildKit's attestations are. An annotation leaves nothing out,
 * since who makes the image writes it.
 *
 * @throws RegistryError `too-large` beyond 64 platforms, 16 indexes or 4 levels; `content-missing`, `manifest-malformed`
 * @see https://github.com/opencontainers/image-spec/blob/main/image-index.md
 */
export async function readPlatforms(
  repository: Repository,
  digest: Digest,
): Promise<readonly IndexedPlatform[] | undefined> {
  const children = await childrenOf(repository, digest);
  if (children === undefined) return undefined;
  const found = new Map<Digest, IndexedPlatform>();
  const walk = { repository, found, seen: new Set([digest]) };
  await collect(walk, children, []);
  return [...found.values()];
}

interface Walk {
  readonly repository: Repository;
  readonly found: Map<Digest, IndexedPlatform>;
  /** an index that lists itself is read once */
  readonly seen: Set<Digest>;
}

async function collect(walk: Walk, children: readonly Descriptor[], within: readonly Digest[]): Promise<void> {
  const { repository, found, seen } = walk;
  const tooLarge = (what: string): RegistryError =>
    new RegistryError('too-large', `an index of ${repository.name} has ${what}`);
  if (within.length >= MAX_DEPTH) throw tooLarge(`indexes nested deeper than ${MAX_DEPTH}`);
  for (const { digest, mediaType, platform } of children) {
    if (INDEXES.has(mediaType)) {
      if (seen.has(digest)) continue;
      seen.add(digest);
      if (seen.size > MAX_INDEXES) throw tooLarge(`more than ${MAX_INDEXES} indexes in it`);
      const nested = await childrenOf(repository, digest);
      if (nested === undefined)
        throw new RegistryError('content-missing', `${repository.name} has no index ${digest}, which another lists`);
      await collect(walk, nested, [...within, digest]);
    } else if (!isUnknown(platform)) {
      const known = found.get(digest);
      const all = [...new Set([...(known?.within ?? []), ...within])];
      found.set(digest, { name: nameOf(platform), platform, digest, ...known, within: all });
      if (found.size > MAX_PLATFORMS) throw tooLarge(`more than ${MAX_PLATFORMS} platforms`);
    }
  }
}

async function childrenOf(repository: Repository, digest: Digest): Promise<readonly Descriptor[] | undefined> {
  const stored = await repository.manifest(digest);
  if (stored === undefined) return undefined;
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind !== 'index') return undefined;
  // Who pulls may take the other of the two.
  const repeated = repeatedMember(new TextDecoder().decode(stored.bytes));
  if (repeated === undefined) return manifest.manifests;
  throw new RegistryError('manifest-malformed', `${digest} has the member '${printable(repeated, 60)}' twice`);
}

function isUnknown(platform: Descriptor['platform']): boolean {
  return platform?.os === 'unknown' && platform.architecture === 'unknown';
}

function nameOf(platform: Descriptor['platform']): string {
  if (platform === undefined) return 'unnamed';
  const { os, architecture, variant } = platform;
  return printable([os, architecture, ...(variant === undefined ? [] : [variant])].join('/'), 80);
}
