// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';

/** A manifest as it is stored: the bytes are what the digest names. */
export interface StoredManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A blob being read. `body` fails with `digest-mismatch` or `size-mismatch` at its end if it was not what was asked for. */
export interface BlobStream {
  /** bytes */
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Something to be written as a blob. `open` may be called again when an upload has to start over. */
export interface BlobSource {
  readonly digest: Digest;
  /** bytes */
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
}

/** Where a listing of referrers came from. */
export type ReferrersPlace = 'referrers-api' | 'fallback-tag' | 'layout';

/** What a repository says refers to a digest. The entries are hints: nothing in them is proof. */
export interface ReferrersListing {
  readonly place: ReferrersPlace;
  readonly descriptors: readonly Descriptor[];
  /** true where a cap ended the listing before its end */
  readonly truncated: boolean;
  /** false where the listing itself does not exist (no fallback tag) */
  readonly exists: boolean;
}

/** What writing a manifest did. */
export interface WrittenManifest {
  readonly descriptor: Descriptor;
  /**
   * For a manifest with a `subject`: how it can be found from there. `raceSafe` is false where the registry cannot exclude that a
   * concurrent writer of the fallback tag drops the entry (no If-Match).
   */
  readonly listed?: { readonly place: ReferrersPlace; readonly raceSafe: boolean };
}

/** How far a transfer is. */
export type Progress = (transferred: number, total: number) => void;

/**
 * One repository of images: a remote registry's, an OCI layout on disk, or our own registry's storage. All that later rooms take.
 *
 * Reads answer `undefined` for what is not there; everything else that goes wrong is a RegistryError. Every body is checked
 * against the digest that asked for it. Implementations pass the suite in `repository.contract.ts`.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md
 */
export interface Repository {
  /** `registry/repository` as signatures name it (docker-reference), or the path of a layout */
  readonly name: string;

  /** Tag or digest to descriptor, without the body where that is possible. */
  resolve(target: string): Promise<Descriptor | undefined>;
  /** A manifest by tag or digest; at most 4 MiB. */
  manifest(target: string): Promise<StoredManifest | undefined>;
  /** A whole blob in memory. @param maxBytes refuses larger ones with `too-large` before reading them */
  blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined>;
  /** A blob as a stream of constant memory. */
  openBlob(digest: Digest): Promise<BlobStream | undefined>;
  hasBlob(digest: Digest): Promise<boolean>;
  /** What refers to a digest, over the API or else the fallback tag; `artifactType` only orders. */
  referrers(subject: Digest): Promise<ReferrersListing>;
  /** All tags in lexical order; paged inside. */
  tags(): AsyncIterable<string>;

  /** Uploads a blob unless it is there already. */
  putBlob(source: BlobSource, progress?: Progress): Promise<void>;
  /**
   * Makes a blob of another repository of the same registry available here without sending it. False where that is not possible, so
   * that it must be uploaded.
   *
   * @param from the `name` of the other repository; one of another registry is answered with false, without a request
   */
  mountBlob(digest: Digest, from: string): Promise<boolean>;
  /**
   * Writes a manifest by its digest, or under a tag. Where it has a `subject`, it can be found from there afterwards (the fallback
   * tag is kept where the registry has no referrers API).
   */
  putManifest(bytes: Uint8Array, mediaType: string, options?: PutManifestOptions): Promise<WrittenManifest>;
  /** Removes a manifest by digest, or a tag. False where it was not there. */
  deleteManifest(target: string): Promise<boolean>;
}

/** How a manifest is written. */
export interface PutManifestOptions {
  readonly tag?: string;
  /**
   * Write the tag only if it still names this digest (or, for `absent`, nothing): a loser gets `conflict`. A registry without
   * If-Match cannot promise that; then the answer's `listed`/`raceSafe` says so.
   */
  readonly expect?: Digest | 'absent';
}
