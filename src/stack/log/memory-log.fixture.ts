// SPDX-License-Identifier: Apache-2.0
import {
  consistencyProof,
  encodeCheckpoint,
  generatePrivateKey,
  inclusionProof,
  keySigner,
  leafHash,
  noteSigner,
  RightEdge,
  signNote,
  TILE_WIDTH,
  type NodeReader,
} from '../../trust/index.ts';
import type { AppendLog, KeptEntry, NewEntry, ProvenEntry, PublishedTree, Search } from './append-log.ts';
import { encodeEntryTile } from './entry-tile.ts';
import { requireEntry, requireRange, requireSearch, requireSizes } from './limits.ts';
import { LogError } from './log-error.ts';

/** Signs what the log says of itself. */
export type SignCheckpoint = (size: number, rootHash: Uint8Array) => Promise<string> | string;

/** Signs the checkpoints of this origin with a new Ed25519 key. */
export async function checkpointSigner(origin: string): Promise<SignCheckpoint> {
  const signer = noteSigner(origin, keySigner(await generatePrivateKey('ed25519')));
  return (size, root) => signNote(encodeCheckpoint({ origin, size, root, extensions: [] }), [signer]);
}

/**
 * A log that forgets everything when the test ends; else it does what a log on disk does.
 *
 * @param options.origin the checkpoint's first line, and the name of the key that signs it
 * @param options.signCheckpoint instead of a new key
 */
export async function openMemoryLog(
  options: {
    readonly origin?: string;
    readonly signCheckpoint?: SignCheckpoint;
    readonly now?: () => Date;
  } = {},
): Promise<AppendLog> {
  const sign = options.signCheckpoint ?? (await checkpointSigner(options.origin ?? 'log.example'));
  const log = new MemoryLog(sign, options.now ?? (() => new Date()));
  await log.publish();
  return log;
}

interface Kept {
  readonly entry: KeptEntry;
  readonly terms: readonly string[];
}

class MemoryLog implements AppendLog {
  readonly #edge = new RightEdge();
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #kept: Kept[] = [];
  readonly #byIdentity = new Map<string, number>();
  readonly #byHash = new Map<string, number>();
  readonly #sign: SignCheckpoint;
  readonly #now: () => Date;
  #tree: PublishedTree = { size: 0, rootHash: new RightEdge().root(), checkpoint: '' };
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(sign: SignCheckpoint, now: () => Date) {
    this.#sign = sign;
    this.#now = now;
  }

  async append(entry: NewEntry): Promise<ProvenEntry & { readonly existed: boolean }> {
    if (this.#closed) throw new LogError('log-closed', 'the log is closed');
    requireEntry(entry);
    const own = structuredClone(entry);
    const appended = this.#last.then(() => this.#append(own));
    this.#last = appended.catch(() => {});
    return appended;
  }

  tree(): PublishedTree {
    return this.#tree;
  }

  async entry(index: number): Promise<ProvenEntry | undefined> {
    const kept = this.#kept[index];
    if (kept === undefined) return undefined;
    const proof = inclusionProof(index, this.#tree.size, this.#read).map((hash) => new Uint8Array(hash));
    return { ...kept.entry, tree: this.#tree, proof };
  }

  async indexOf(hash: Uint8Array): Promise<number | undefined> {
    return this.#byHash.get(hex(hash));
  }

  async entries(from: number, count: number): Promise<readonly KeptEntry[]> {
    requireRange(from, count);
    return this.#kept.slice(from, from + count).map(({ entry }) => entry);
  }

  async search(search: Search): Promise<readonly number[]> {
    requireSearch(search);
    const { terms, operator, limit, after = -1 } = search;
    const found = this.#kept.flatMap(({ entry, terms: has }, index) => {
      const matches =
        operator === 'and' ? terms.every((term) => has.includes(term)) : terms.some((term) => has.includes(term));
      return matches && index > after ? [entry.index] : [];
    });
    return found.slice(0, limit);
  }

  async consistency(first: number, second: number): Promise<readonly Uint8Array[]> {
    requireSizes(first, second, this.#tree.size);
    return consistencyProof(first, second, this.#read);
  }

  async hashTile(level: number, index: number, width: number): Promise<Uint8Array | undefined> {
    if (!Number.isSafeInteger(index) || index < 0 || !(width > 0 && width <= TILE_WIDTH)) return undefined;
    const hashes = Array.from({ length: width }, (_, at) => this.#nodes.get(`${level * 8}/${index * TILE_WIDTH + at}`));
    const known = hashes.filter((hash) => hash !== undefined);
    return known.length === width ? Buffer.concat(known) : undefined;
  }

  async entryTile(index: number, width: number): Promise<Uint8Array | undefined> {
    if (!Number.isSafeInteger(index) || index < 0 || index > this.#kept.length) return undefined;
    const leaves = this.#kept.slice(index * TILE_WIDTH, index * TILE_WIDTH + width).map(({ entry }) => entry.leaf);
    return width > 0 && width <= TILE_WIDTH && leaves.length === width ? encodeEntryTile(leaves) : undefined;
  }

  trouble(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async publish(): Promise<void> {
    const [size, rootHash] = [this.#edge.size, this.#edge.root()];
    this.#tree = { size, rootHash, checkpoint: await this.#sign(size, rootHash) };
  }

  async #append(entry: NewEntry): Promise<ProvenEntry & { readonly existed: boolean }> {
    const before = this.#byIdentity.get(hex(entry.identity));
    const index = before ?? (await this.#keep(entry));
    const proven = await this.entry(index);
    if (proven === undefined) throw new LogError('tree-range', `there is no entry ${index}`);
    return { ...proven, existed: before !== undefined };
  }

  async #keep({ leaf, identity, extra, terms }: NewEntry): Promise<number> {
    const index = this.#kept.length;
    const time = Math.max(this.#now().getTime(), this.#kept.at(-1)?.entry.time ?? 0);
    const entry = { index, leaf, time, ...(extra === undefined ? {} : { extra }) };
    this.#kept.push({ entry, terms: [...terms] });
    this.#byIdentity.set(hex(identity), index);
    const hash = leafHash(leaf);
    if (!this.#byHash.has(hex(hash))) this.#byHash.set(hex(hash), index);
    for (const node of this.#edge.append(hash)) this.#nodes.set(`${node.level}/${node.index}`, node.hash);
    await this.publish();
    return index;
  }

  readonly #read: NodeReader = ({ level, index }) => {
    const hash = this.#nodes.get(`${level}/${index}`);
    if (hash === undefined) throw new LogError('tree-range', `there is no node ${index} of level ${level}`);
    return hash;
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
