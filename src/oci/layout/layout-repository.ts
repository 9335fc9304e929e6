// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { digestAlgorithm, digestOf, isDigest, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest, ManifestLimit, sniffManifestType } from '../manifest.ts';
import { quoted } from '../quoted.ts';
import { parseTag } from '../reference.ts';
import { readFallbackReferrers } from '../referrers-index.ts';
import type {
  BlobSource,
  BlobStream,
  Progress,
  PutManifestOptions,
  ReferrersListing,
  Repository,
  StoredManifest,
  WrittenManifest,
} from '../repository.ts';
import { LayoutDirectory } from './layout-directory.ts';
import { checkLayout, createLayout, INDEX_FILE, LAYOUT_FILE, readIndex } from './layout-files.ts';
import { LayoutIndex } from './layout-index.ts';
import { withLayoutLock } from './layout-lock.ts';
import type { OpenLayoutOptions } from './open-layout.ts';
import { ReferrerScan } from './referrer-scan.ts';

/** Files that are looked at when a layout is cleared. */
const MAX_SWEPT = 200_000;

/** What `openLayout` does, once it is loaded. */
export async function openLayoutRepository(path: string, options: OpenLayoutOptions): Promise<LayoutRepository> {
  const directory = await LayoutDirectory.at(path, options.create === true);
  const layout = await directory.read(LAYOUT_FILE, 64 * 1024);
  if (layout === undefined && options.create === true) await createLayout(directory);
  else checkLayout(directory, layout);
  await readIndex(directory);
  return new LayoutRepository(directory, options.name ?? path);
}

/** An OCI image layout as a repository. Made by `openLayout`. */
export class LayoutRepository implements Repository {
  readonly name: string;
  readonly #directory: LayoutDirectory;
  readonly #scan: ReferrerScan;

  constructor(directory: LayoutDirectory, name: string) {
    this.name = name;
    this.#directory = directory;
    this.#scan = new ReferrerScan(directory);
  }

  /**
   * The one image of this layout: what a path without tag or digest means. Seals, attestations and children do not count.
   * @throws RegistryError `layout-malformed` where there is none, or a choice
   */
  async soleImage(): Promise<Descriptor> {
    const index = await readIndex(this.#directory);
    const images = new Map(index.images.map((descriptor) => [descriptor.digest, descriptor]));
    for (const image of index.images) for (const digest of await this.#besides(image)) images.delete(digest);
    const [image, ...others] = images.values();
    if (image !== undefined && others.length === 0) return bare(image);
    const path = this.#directory.path;
    const choice = (index.tags.length > 0 ? index.tags : [...images.keys()]).slice(0, 10).map((name) => quoted(name));
    const problem =
      image === undefined ? 'holds no image' : `holds ${images.size} images, name one of ${choice.join(', ')}`;
    throw new RegistryError('layout-malformed', `${quoted(path)} ${problem}`, { url: path });
  }

  async resolve(target: string): Promise<Descriptor | undefined> {
    const listed = await this.#listed(target);
    if (listed === undefined) return isDigest(target) ? (await this.#unlisted(target))?.descriptor : undefined;
    const size = await this.#directory.blobSize(listed.digest);
    if (size !== undefined) this.#checkSize(listed, size);
    return size === undefined ? undefined : listed;
  }

  async manifest(target: string): Promise<StoredManifest | undefined> {
    const descriptor = await this.#listed(target);
    if (descriptor === undefined) return isDigest(target) ? this.#unlisted(target) : undefined;
    const bytes = await this.blob(descriptor.digest, ManifestLimit.bytes);
    if (bytes !== undefined) this.#checkSize(descriptor, bytes.byteLength);
    return bytes === undefined ? undefined : { descriptor, bytes };
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#directory.readBlob(digest, maxBytes);
    const found = bytes === undefined ? digest : digestOf(bytes, digestAlgorithm(digest));
    if (found === digest) return bytes;
    throw new RegistryError('digest-mismatch', `${quoted(this.#directory.path)} ${digest} has content of ${found}`);
  }

  async openBlob(digest: Digest): Promise<BlobStream | undefined> {
    const size = await this.#directory.blobSize(digest);
    return size === undefined ? undefined : { size, body: this.#directory.streamBlob(digest, size) };
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    return (await this.#directory.blobSize(digest)) !== undefined;
  }

  /** All manifests in the layout that name the subject, and what a fallback tag in it adds. */
  async referrers(subject: Digest): Promise<ReferrersListing> {
    const found = await this.#scan.of(subject);
    const tagged = await this.#fallbackReferrers(subject);
    const all = new Map([...tagged.descriptors, ...found.descriptors].map((one) => [one.digest, one]));
    const truncated = found.truncated || tagged.truncated;
    const order = new Map((await readIndex(this.#directory)).descriptors.map(({ digest }, place) => [digest, place]));
    const placeOf = ({ digest }: Descriptor): number => order.get(digest) ?? order.size;
    const listed = [...all.values()].toSorted((a, b) => placeOf(a) - placeOf(b));
    return { place: 'layout', descriptors: listed, truncated, exists: true };
  }

  async *tags(): AsyncIterable<string> {
    yield* (await readIndex(this.#directory)).tags;
  }

  async putBlob(source: BlobSource, progress?: Progress): Promise<void> {
    if ((await this.#directory.blobSize(source.digest)) === source.size) return;
    await this.#directory.writeBlob(source, progress);
  }

  /** True where the layout has the blob already: nothing can be mounted into a directory. */
  async mountBlob(digest: Digest, _from: string): Promise<boolean> {
    return this.hasBlob(digest);
  }

  async putManifest(bytes: Uint8Array, mediaType: string, options: PutManifestOptions = {}): Promise<WrittenManifest> {
    const { tag, expect } = options;
    if (tag !== undefined) parseTag(tag);
    const manifest = decodeManifest(bytes, mediaType);
    const descriptor: Descriptor = { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.byteLength };
    await this.putBlob({ ...descriptor, open: () => once(bytes) });
    await this.#change((index) => {
      if (tag !== undefined && expect !== undefined) this.#checkExpected(tag, index.find(tag)?.digest, expect);
      const children = manifest.manifests.map((child) => child.digest);
      return index.put(descriptor, tag, children);
    });
    return manifest.subject === undefined
      ? { descriptor }
      : { descriptor, listed: { place: 'layout', raceSafe: true } };
  }

  /** What index.json lists, each digest once, with all that it says of it. */
  async entries(): Promise<readonly Descriptor[]> {
    return (await readIndex(this.#directory)).descriptors;
  }

  /**
   * Makes these the entries of index.json, and no others, in one step. What they name must be there. They may have names that are no
   * tags, such as `registry/repository:tag`.
   *
   * @param mayReplace asked with what is listed at that moment; what it throws leaves everything as it was
   * @throws RegistryError `too-large`, `conflict` where the layout stays locked
   */
  async replaceEntries(
    entries: readonly Descriptor[],
    mayReplace: (listed: readonly Descriptor[]) => void = () => {},
  ): Promise<void> {
    await this.#change((index) => {
      mayReplace(index.descriptors);
      return LayoutIndex.of(entries);
    });
  }

  /** Removes every blob but these. @returns how many there were */
  async keepOnly(digests: ReadonlySet<Digest>): Promise<number> {
    const { files } = await this.#directory.blobFiles(MAX_SWEPT);
    const dropped = files.filter(({ digest }) => !digests.has(digest));
    for (const { digest } of dropped) await this.#directory.removeBlob(digest);
    return dropped.length;
  }

  async deleteManifest(target: string): Promise<boolean> {
    if (!isDigest(target)) {
      return this.#change((index) => (index.find(target) === undefined ? undefined : index.removeTag(target)));
    }
    const unlisted = await this.#change((index) => {
      const isListed = index.descriptors.some(({ digest }) => digest === target);
      return isListed ? index.removeDigest(target) : undefined;
    });
    // Only a manifest is deleted, never a blob that happens to have this digest.
    if (!unlisted && (await this.#unlisted(target)) === undefined) return false;
    return (await this.#directory.removeBlob(target)) || unlisted;
  }

  /** Changes index.json, alone. False where there is nothing to change. */
  async #change(edit: (index: LayoutIndex) => LayoutIndex | undefined): Promise<boolean> {
    return withLayoutLock(this.#directory.root, async (lock) => {
      const changed = edit(await readIndex(this.#directory));
      if (changed === undefined) return false;
      await this.#directory.replace(INDEX_FILE, changed.encode(), async () => lock.assertHeld());
      return true;
    });
  }

  /** What index.json says of a target. */
  async #listed(target: string): Promise<Descriptor | undefined> {
    const index = await readIndex(this.#directory);
    const found = isDigest(target) ? index.descriptors.find(({ digest }) => digest === target) : index.find(target);
    return found === undefined ? undefined : bare(found);
  }

  /** A manifest that index.json does not name: a child, or what `cosign save` left in `blobs/`. */
  async #unlisted(digest: Digest): Promise<StoredManifest | undefined> {
    const size = await this.#directory.blobSize(digest);
    if (size === undefined || size > ManifestLimit.bytes) return undefined;
    const bytes = await this.blob(digest, ManifestLimit.bytes);
    const mediaType = bytes === undefined ? undefined : sniffManifestType(bytes);
    if (bytes === undefined || mediaType === undefined) return undefined;
    return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes };
  }

  /** What a listed manifest shows not to be an image of its own: itself, where it refers to another, and its children. */
  async #besides({ digest, mediaType }: Descriptor): Promise<readonly Digest[]> {
    try {
      const bytes = await this.blob(digest, ManifestLimit.bytes);
      const manifest = bytes === undefined ? undefined : decodeManifest(bytes, mediaType);
      const children = manifest?.manifests.map((child) => child.digest) ?? [];
      return manifest?.subject === undefined ? children : [digest, ...children];
    } catch (error) {
      if (error instanceof RegistryError && error.code !== 'storage-failed') return []; // whoever reads it is told
      throw error;
    }
  }

  async #fallbackReferrers(subject: Digest): Promise<Pick<ReferrersListing, 'descriptors' | 'truncated'>> {
    try {
      return await readFallbackReferrers(this, subject);
    } catch (error) {
      // The search of blobs/ does not depend on the tag, so what is no index there hides nothing.
      if (error instanceof RegistryError && error.code !== 'storage-failed')
        return { descriptors: [], truncated: false };
      throw error;
    }
  }

  #checkSize(descriptor: Descriptor, size: number): void {
    if (descriptor.size === size) return;
    const message = `${quoted(this.#directory.path)} ${descriptor.digest} has ${size} bytes, index.json says ${descriptor.size}`;
    throw new RegistryError('size-mismatch', message);
  }

  #checkExpected(tag: string, found: Digest | undefined, expected: Digest | 'absent'): void {
    if ((found ?? 'absent') === expected) return;
    const message = `${quoted(this.#directory.path)} ${quoted(tag)} is ${found ?? 'absent'}, expected ${expected}`;
    throw new RegistryError('conflict', message);
  }
}

function bare({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
