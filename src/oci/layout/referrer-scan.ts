// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import type { Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest, ManifestLimit, sniffManifestType } from '../manifest.ts';
import { describeReferrer } from '../referrers-index.ts';
import type { BlobFile, LayoutDirectory } from './layout-directory.ts';

/** How much of a layout is searched. */
export interface ScanLimits {
  readonly files: number;
  /** bytes read in one search; what was read before is remembered */
  readonly bytes: number;
}

const LIMITS: ScanLimits = { files: 50_000, bytes: 256 * 1024 * 1024 };

interface Referrer {
  readonly subject: Digest;
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

  /** The referrers of a subject in the order of their digests. `truncated` where the layout is larger than what is searched. */
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
      if (known.referrer?.subject === subject) descriptors.push(known.referrer.descriptor);
    }
    return { descriptors, truncated: truncated || skipped };
  }

  async #read(file: BlobFile): Promise<Referrer | undefined> {
    try {
      const bytes = await this.#directory.readBlob(file.digest, ManifestLimit.bytes);
      if (bytes === undefined || !mayHaveSubject(bytes)) return undefined;
      const mediaType = sniffManifestType(bytes);
      const subject = mediaType === undefined ? undefined : decodeManifest(bytes, mediaType).subject?.digest;
      if (mediaType === undefined || subject === undefined) return undefined;
      // Named as its file is. If it has other content, whoever fetches it is told.
      return { subject, descriptor: { ...describeReferrer(bytes, mediaType), digest: file.digest } };
    } catch (error) {
      // One strange file (no manifest after all, or a link that leads out) must not hide the others.
      if (error instanceof RegistryError && error.code !== 'storage-failed') return undefined;
      throw error;
    }
  }
}

/** Whether it is worth parsing: a JSON object with a member `subject`, in whatever spelling. */
function mayHaveSubject(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09);
  return first === 0x7b && (buffer.includes('"subject"') || buffer.includes('\\u'));
}
