// SPDX-License-Identifier: Apache-2.0
import { basename, dirname } from 'node:path';
import type { FileSystem, ReadableFile, WritableFile } from './file-system.ts';

interface FileNode {
  readonly kind: 'file';
  written: Buffer;
  flushed: Buffer;
}
interface DirectoryNode {
  readonly kind: 'directory';
  readonly names: Map<string, Node>;
  readonly flushed: Map<string, Node>;
  /** changes of names since the last flush, in order */
  pending: { readonly name: string; readonly node: Node | undefined }[];
}
type Node = FileNode | DirectoryNode;

/** What the disk is told to do wrong. */
export interface Mischief {
  /** this many operations succeed; the next one and all after it fail: the power is gone */
  readonly haltAfter?: number;
  /** this operation (counted from 1) fails once, as a broken disk does */
  readonly failAt?: number;
  /** flushing content does nothing, though it says so */
  readonly ignoreFlush?: boolean;
  /** flushing names does nothing, though it says so */
  readonly ignoreDirectoryFlush?: boolean;
}

/**
 * A file system in memory that does what POSIX allows at a power cut and ext4 rarely shows: content that was not flushed is lost or
 * torn, and each change of a name that was not flushed happens or not, whatever the order. For tests only.
 *
 * @example
 * const files = new LossyFileSystem('/root');
 * // … use it …
 * const after = files.crash(() => 0.5);   // what the next start finds
 */
export class LossyFileSystem implements FileSystem {
  readonly #root: string;
  readonly #top: DirectoryNode;
  readonly #mischief: Mischief;
  /** operations so far */
  operations = 0;

  constructor(root: string, mischief: Mischief = {}, top: DirectoryNode = directory()) {
    this.#root = root;
    this.#mischief = mischief;
    this.#top = top;
  }

  /** What is left after a power cut. @param random numbers in [0, 1) that decide what survives */
  crash(random: () => number, mischief: Mischief = {}): LossyFileSystem {
    const survivors = new Map<Node, Node>();
    const survive = (node: Node): Node => {
      const known = survivors.get(node);
      if (known !== undefined) return known;
      if (node.kind === 'file') {
        const content = tear(node, random);
        const file: FileNode = { kind: 'file', written: content, flushed: content };
        survivors.set(node, file);
        return file;
      }
      const names = new Map(node.flushed);
      for (const { name, node: child } of node.pending) {
        if (random() < 0.5) continue;
        if (child === undefined) names.delete(name);
        else names.set(name, child);
      }
      const kept = directory();
      survivors.set(node, kept);
      for (const [name, child] of names) {
        const survivor = survive(child);
        kept.names.set(name, survivor);
        kept.flushed.set(name, survivor);
      }
      return kept;
    };
    return new LossyFileSystem(this.#root, mischief, survive(this.#top) as DirectoryNode);
  }

  async makeDirectory(path: string): Promise<void> {
    this.#step();
    const parent = this.#directory(dirname(path));
    if (!parent.names.has(basename(path))) change(parent, basename(path), directory());
  }

  async create(path: string): Promise<WritableFile> {
    this.#step();
    const parent = this.#directory(dirname(path));
    if (parent.names.has(basename(path))) throw fault('EEXIST', path);
    const node: FileNode = { kind: 'file', written: Buffer.alloc(0), flushed: Buffer.alloc(0) };
    change(parent, basename(path), node);
    return {
      write: async (chunks) => {
        this.#step();
        node.written = Buffer.concat([node.written, ...chunks]);
      },
      flush: async () => {
        this.#step();
        if (this.#mischief.ignoreFlush !== true) node.flushed = node.written;
      },
      close: async () => {},
    };
  }

  async open(path: string): Promise<ReadableFile | undefined> {
    this.#step();
    const node = this.#find(path);
    if (node?.kind !== 'file') return undefined;
    return {
      size: node.written.byteLength,
      read: async (position, length) => Buffer.from(node.written.subarray(position, position + length)),
      close: async () => {},
    };
  }

  async size(path: string): Promise<number | undefined> {
    this.#step();
    const node = this.#find(path);
    return node?.kind === 'file' ? node.written.byteLength : undefined;
  }

  async list(path: string): Promise<readonly { readonly name: string; readonly kind: 'file' | 'directory' }[]> {
    this.#step();
    const node = this.#find(path);
    if (node?.kind !== 'directory') return [];
    return [...node.names].map(([name, child]) => ({ name, kind: child.kind }));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const source = this.#directory(dirname(from));
    const node = source.names.get(basename(from));
    if (node === undefined) throw fault('ENOENT', from);
    change(this.#directory(dirname(to)), basename(to), node);
    change(source, basename(from), undefined);
  }

  async remove(path: string): Promise<boolean> {
    this.#step();
    const parent = this.#directory(dirname(path));
    if (!parent.names.has(basename(path))) return false;
    change(parent, basename(path), undefined);
    return true;
  }

  async flushDirectory(path: string): Promise<void> {
    this.#step();
    if (this.#mischief.ignoreDirectoryFlush === true) return;
    const node = this.#directory(path);
    for (const { name, node: child } of node.pending) {
      if (child === undefined) node.flushed.delete(name);
      else node.flushed.set(name, child);
    }
    node.pending = [];
  }

  #step(): void {
    this.operations += 1;
    const { haltAfter, failAt } = this.#mischief;
    if (haltAfter !== undefined && this.operations > haltAfter) throw fault('EIO', 'the power is gone');
    if (failAt === this.operations) throw fault('EIO', 'the disk failed once');
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const segment of path.slice(this.#root.length).split('/')) {
      if (segment === '') continue;
      node = node?.kind === 'directory' ? node.names.get(segment) : undefined;
    }
    return node;
  }

  #directory(path: string): DirectoryNode {
    const node = this.#find(path);
    if (node?.kind !== 'directory') throw fault('ENOENT', path);
    return node;
  }
}

function directory(): DirectoryNode {
  return { kind: 'directory', names: new Map(), flushed: new Map(), pending: [] };
}

function change(parent: DirectoryNode, name: string, node: Node | undefined): void {
  if (node === undefined) parent.names.delete(name);
  else parent.names.set(name, node);
  parent.pending.push({ name, node });
}

/** Flushed content, and of what came after it a part, with a hole where the disk wrote the end first. */
function tear(node: FileNode, random: () => number): Buffer {
  const later = node.written.subarray(node.flushed.byteLength);
  const kept = Buffer.from(later.subarray(0, Math.floor(random() * (later.byteLength + 1))));
  if (random() < 0.3) kept.fill(0, 0, Math.floor(kept.byteLength / 2));
  return Buffer.concat([node.flushed, kept]);
}

function fault(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
