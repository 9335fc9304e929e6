// SPDX-License-Identifier: Apache-2.0

/** An entry that shall be kept. */
export interface NewEntry {
  /** what the tree commits to; at most 65,535 bytes, as an entry tile counts them */
  readonly leaf: Uint8Array;
  /** 32 bytes: an entry with the same identity is the same entry, is kept once and answered as it was */
  readonly identity: Uint8Array;
  /** kept beside the leaf, outside the tree */
  readonly extra?: Uint8Array;
  /** what a search finds it by, in lower case: at most 256 terms of at most 1,024 characters */
  readonly terms: readonly string[];
}

/** An entry as it is kept. */
export interface KeptEntry {
  /** its place in the tree, from 0 */
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly extra?: Uint8Array;
  /** when it was sequenced: milliseconds since 1970, never less than that of the entry before */
  readonly time: number;
}

/** A tree that was signed and published. */
export interface PublishedTree {
  readonly size: number;
  /** 32 bytes */
  readonly rootHash: Uint8Array;
  /** the signed note, with the cosignatures of witnesses where there are any */
  readonly checkpoint: string;
}

/** An entry with the proof that the log has it. */
export interface ProvenEntry extends KeptEntry {
  readonly tree: PublishedTree;
  /** the inclusion proof in `tree`, 32 bytes each, from the leaf up */
  readonly proof: readonly Uint8Array[];
}

/** What a search asks for: entries that have all or any of the terms. */
export interface Search {
  readonly terms: readonly string[];
  readonly operator: 'and' | 'or';
  /** entries answered, oldest first */
  readonly limit: number;
  /** only entries after this index */
  readonly after?: number;
}

/**
 * One append-only log: a Merkle tree (RFC 9162, section 2.1) with its entries, its published checkpoint and an index over them.
 *
 * What `append` has answered is on the disk, is in the published tree, and is found by its terms.
 */
export interface AppendLog {
  /** Keeps an entry, or finds it. `existed` where it was kept before. */
  append(entry: NewEntry): Promise<ProvenEntry & { readonly existed: boolean }>;
  /** The newest published tree. */
  tree(): PublishedTree;
  /** One entry, with its proof in the newest tree. */
  entry(index: number): Promise<ProvenEntry | undefined>;
  /** The place of the entry whose leaf has this hash (32 bytes). */
  indexOf(leafHash: Uint8Array): Promise<number | undefined>;
  /** At most `count` entries from an index on. */
  entries(from: number, count: number): Promise<readonly KeptEntry[]>;
  /** The places of the entries that a search finds. */
  search(search: Search): Promise<readonly number[]>;
  /** The consistency proof between two sizes, both within the newest tree. */
  consistency(first: number, second: number): Promise<readonly Uint8Array[]>;
  /** A tile of hashes, whole or partial. @see https://c2sp.org/tlog-tiles */
  hashTile(level: number, index: number, width: number): Promise<Uint8Array | undefined>;
  /** A tile of entries, whole or partial. @see https://c2sp.org/tlog-tiles#log-entries */
  entryTile(index: number, width: number): Promise<Uint8Array | undefined>;
  /** Why it takes no entries: what stopped it, or what kept the last one from being kept in the last minute. */
  trouble(): string | undefined;
  /** Takes no more entries, finishes those that were taken. */
  close(): Promise<void>;
}
