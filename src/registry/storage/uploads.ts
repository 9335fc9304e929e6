// SPDX-License-Identifier: Apache-2.0
import { randomUUID } from 'node:crypto';
import { DigestStream, RegistryError, digestAlgorithm, type Digest, type DigestAlgorithm } from '../../oci/index.ts';
import type { StagedObject } from '../../store/index.ts';
import type { BlobStorage } from './blob-storage.ts';

/** How many uploads may be open, and for how long nothing may happen to one. */
export interface UploadLimits {
  readonly count: number;
  readonly idleMs: number;
  /** bytes of one blob */
  readonly bytes: number;
}

/** One upload, over as many requests as it takes. */
export class Upload {
  readonly id: string = randomUUID();
  readonly repository: string;
  readonly #blobs: BlobStorage;
  readonly #staged: StagedObject;
  readonly #algorithm: DigestAlgorithm;
  readonly #digest: DigestStream;
  readonly #maxBytes: number;
  readonly #now: () => number;
  #busy = false;
  #touched: number;

  constructor(blobs: BlobStorage, repository: string, algorithm: DigestAlgorithm, maxBytes: number, now: () => number) {
    this.repository = repository;
    this.#blobs = blobs;
    this.#staged = blobs.stage();
    this.#algorithm = algorithm;
    this.#digest = new DigestStream(algorithm);
    this.#maxBytes = maxBytes;
    this.#now = now;
    this.#touched = now();
  }

  /** bytes received so far */
  get size(): number {
    return this.#staged.size;
  }

  /** Whether nothing has happened since a moment, in milliseconds since the epoch. */
  idleSince(moment: number): boolean {
    return !this.#busy && this.#touched < moment;
  }

  /**
   * Takes more bytes. Those that came in before a failure stay: the client asks where to go on.
   *
   * @throws RegistryError `conflict` while another request writes; `too-large`
   */
  async append(body: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#alone(async () => {
      for await (const chunk of body) {
        if (this.size + chunk.byteLength > this.#maxBytes) {
          throw new RegistryError('too-large', `the blob has more than ${this.#maxBytes} bytes`);
        }
        this.#digest.update(chunk);
        await this.#staged.append(chunk);
      }
    });
  }

  /** @throws RegistryError `digest-mismatch`: the upload has then ended; `conflict` */
  async finish(digest: Digest): Promise<void> {
    await this.#alone(async () => {
      const found = await this.#digestAs(digestAlgorithm(digest));
      if (found !== digest) {
        await this.#staged.discard();
        throw new RegistryError('digest-mismatch', `the blob's content is ${found}, expected ${digest}`);
      }
      await this.#blobs.commit(this.repository, digest, this.#staged);
    });
  }

  async discard(): Promise<void> {
    await this.#staged.discard();
  }

  /** The algorithm is known at the end only; where the guess was wrong, what was staged is read once more. */
  async #digestAs(algorithm: DigestAlgorithm): Promise<Digest> {
    if (algorithm === this.#algorithm) return this.#digest.digest();
    const again = new DigestStream(algorithm);
    for await (const chunk of this.#staged.read()) again.update(chunk);
    return again.digest();
  }

  async #alone(body: () => Promise<void>): Promise<void> {
    if (this.#busy) throw new RegistryError('conflict', `another request is writing to upload ${this.id}`);
    this.#busy = true;
    try {
      await body();
    } finally {
      this.#busy = false;
      this.#touched = this.#now();
    }
  }
}

/** Uploads that are open. They live in memory: after a restart their clients begin again. */
export class Uploads {
  readonly #blobs: BlobStorage;
  readonly #limits: UploadLimits;
  readonly #now: () => number;
  readonly #open = new Map<string, Upload>();

  constructor(blobs: BlobStorage, limits: UploadLimits, now: () => number) {
    this.#blobs = blobs;
    this.#limits = limits;
    this.#now = now;
  }

  /** @throws RegistryError `throttled` where too many are open */
  begin(repository: string, algorithm: DigestAlgorithm): Upload {
    if (this.#open.size >= this.#limits.count) {
      throw new RegistryError('throttled', `${this.#open.size} uploads are open, at most ${this.#limits.count} may be`);
    }
    const upload = new Upload(this.#blobs, repository, algorithm, this.#limits.bytes, this.#now);
    this.#open.set(upload.id, upload);
    return upload;
  }

  /** An open upload. */
  find(repository: string, id: string): Upload | undefined {
    const upload = this.#open.get(id);
    return upload?.repository === repository ? upload : undefined;
  }

  /** Ends an upload, whatever became of it. */
  async end(upload: Upload): Promise<void> {
    this.#open.delete(upload.id);
    await upload.discard();
  }

  /** Ends those to which nothing has happened for too long. */
  async sweep(): Promise<void> {
    const before = this.#now() - this.#limits.idleMs;
    for (const upload of this.#open.values()) {
      if (upload.idleSince(before)) await this.end(upload);
    }
  }

  /** Ends all. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((upload) => this.end(upload)));
  }
}
