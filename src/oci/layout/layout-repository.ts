// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, WireError } from '../../wire/index.ts';
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
import { LayoutIndex } from './layout-index.ts';
import { withLayoutLock } from './layout-lock.ts';
import type { OpenLayoutOptions } from './open-layout.ts';
import { ReferrerScan } from './referrer-scan.ts';

const LAYOUT_FILE = 'oci-layout';
const INDEX_FILE = 'index.json';
const LAYOUT = new TextEncoder().encode('{"imageLayoutVersion":"1.0.0"}');

/** What `openLayout` does, once it is loaded. */
export async function openLayoutRepository(path: string, options: OpenLayoutOptions): Promise<LayoutRepository> {
  const directory = await LayoutDirectory.at(path, options.create === true);
  const layout = await directory.read(LAYOUT_FILE, 64 * 1024);
  if (layout === undefined && options.create === true) await createLayout(directory);
  else checkLayout(directory, layout);
  await readIndex(directory);
  return new LayoutRepository(directory, options.name ?? path);
}

async function createLayout(directory: LayoutDirectory): Promise<void> {
  const empty = LayoutIndex.empty().encode();
  await withLayoutLock(directory.root, async () => {
    const names = await directory.names();
    if (names.includes(LAYOUT_FILE)) return; // another was faster
    // What a maker left who was killed between the two files is no reason to stop; anything else belongs to someone.
    const left = names.length === 1 && names[0] === INDEX_FILE ? await directory.read(INDEX_FILE, 4096) : undefined;
    if (names.length > 0 && (left === undefined || Buffer.compare(left, empty) !== 0)) {
      throw malformedLayout(directory, 'it has other files and no oci-layout');
    }
    await directory.replace(INDEX_FILE, empty);
    await directory.replace(LAYOUT_FILE, LAYOUT);
  });
}

async function readIndex(directory: LayoutDirectory): Promise<LayoutIndex> {
  try {
    const bytes = await directory.read(INDEX_FILE, ManifestLimit.bytes);
    if (bytes === undefined) throw malformedLayout(directory, 'there is no index.json');
    return LayoutIndex.decode(bytes);
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'manifest-malformed') throw cause;
    throw malformedLayout(directory, `its index.json is malformed: ${cause.message}`, { cause });
  }
}

function checkLayout(directory: LayoutDirectory, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) throw malformedLayout(directory, 'there is no oci-layout file');
  try {
    const json = parseJson(bytes, { what: LAYOUT_FILE, maxDepth: 8 });
    const version = isJsonObject(json) ? json.imageLayoutVersion : undefined;
    if (typeof version === 'string' && /^1\.\d+\.\d+$/.test(version)) return;
    const found = typeof version === 'string' ? quoted(version) : 'nothing';
    throw malformedLayout(directory, `oci-layout says ${found} for imageLayoutVersion, expected 1.0.0`);
  } catch (cause) {
    if (cause instanceof WireError) throw malformedLayout(directory, cause.message, { cause });
    throw cause;
  }
}

function malformedLayout(directory: LayoutDirectory, problem: string, options: ErrorOptions = {}): RegistryError {
  const message = `${quoted(directory.path)} is no OCI layout: ${problem}`;
  return new RegistryError('layout-malformed', message, { url: directory.path, ...options });
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
