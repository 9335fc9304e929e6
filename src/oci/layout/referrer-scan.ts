// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { digestAlgorithm, digestOf, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest, ManifestLimit, sniffManifestType } from '../manifest.ts';
import { MediaType } from '../media-type.ts';
import { describeReferrer } from '../referrers-index.ts';
import type { BlobFile, LayoutDirectory } from './layout-directory.ts';

/** How much of a layout is searched. */
export interface ScanLimits {
  readonly files: number;
  /** bytes read in one search; what was read before is remembered */
  readonly bytes: number;
}

const LIMITS: ScanLimits = { files: 50_000, bytes: 256 * 1024 * 1024 };

/** Manifests that refer to others are smaller than this; what is larger is not held to its digest here. */
const REFERRER_BYTES = 64 * 1024;

interface Referrer {
  /** undefined where the file has other content than its name says: it may have referred to anything */
  readonly subject: Digest | undefined;
  readonly descriptor: Descriptor;
}

/**
 * Finds what refers to what in a layout, by reading the manifests in `blobs/`: `cosign save` lists bundles nowhere else. A blob is read
 * once, and again only if its file changed.
 */
export class ReferrerScan {
  readonly #directory: LayoutDirectory;
  readonly #limits: ScanLimits;
  readonly #known = new Map<Digest, { readonly stamp: string; readonly referrer: Referrer | undefined }>();

  constructor(directory: LayoutDirectory, limits: ScanLimits = LIMITS) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /**
   * The referrers of a subject in the order of their digests, and files that may be such and have other content than their names say: half a
   * copy of a seal must not look like none. `truncated` where the layout is larger than what is searched.
   */
  async of(subject: Digest): Promise<{ readonly descriptors: readonly Descriptor[]; readonly truncated: boolean }> {
    const { files, truncated } = await this.#directory.blobFiles(this.#limits.files);
    const candidates = files.filter((file) => file.size <= ManifestLimit.bytes);
    const descriptors: Descriptor[] = [];
    let budget = this.#limits.bytes;
    let skipped = false;
    for (const file of candidates) {
      let known = this.#known.get(file.digest);
      if (known?.stamp !== file.stamp) {
        if (file.size > budget) {
          skipped = true;
          continue;
        }
        budget -= file.size;
        known = { stamp: file.stamp, referrer: await this.#read(file) };
        this.#known.set(file.digest, known);
      }
      const { referrer } = known;
      if (referrer === undefined || referrer.descriptor.digest === subject) continue;
      if ((referrer.subject ?? subject) === subject) descriptors.push(referrer.descriptor);
    }
    return { descriptors, truncated: truncated || skipped };
  }

  async #read(file: BlobFile): Promise<Referrer | undefined> {
    const { digest, size } = file;
    try {
      const bytes = await this.#directory.readBlob(digest, ManifestLimit.bytes);
      if (bytes === undefined) return undefined;
      const sound = bytes.byteLength > REFERRER_BYTES || digestOf(bytes, digestAlgorithm(digest)) === digest;
      if (sound) return referrerIn(bytes, digest);
      return { subject: undefined, descriptor: { mediaType: MediaType.imageManifest, digest, size } };
    } catch (error) {
      // One strange file (no manifest after all, or a link that leads out) must not hide the others.
      if (error instanceof RegistryError && error.code !== 'storage-failed') return undefined;
      throw error;
    }
  }
}

/** Undefined where the bytes are no manifest with a subject. @throws RegistryError `manifest-malformed` */
function referrerIn(bytes: Uint8Array, digest: Digest): Referrer | undefined {
  if (!mayHaveSubject(bytes)) return undefined;
  const mediaType = sniffManifestType(bytes);
  const subject = mediaType === undefined ? undefined : decodeManifest(bytes, mediaType).subject?.digest;
  if (mediaType === undefined || subject === undefined) return undefined;
  // Named as its file is. If it has other content, whoever fetches it is told.
  return { subject, descriptor: { ...describeReferrer(bytes, mediaType), digest } };
}

/** Whether it is worth parsing: a JSON object with a member `subject`, in whatever spelling. */
function mayHaveSubject(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  return first === 0x7b && (buffer.includes('"subject"') || buffer.includes('\\u'));
}
