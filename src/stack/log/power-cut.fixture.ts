// SPDX-License-Identifier: Apache-2.0
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

const SECTOR = 512;

/** One change of a file that was not flushed. */
type Change = { readonly at: number; readonly octets: Buffer } | { readonly length: number };

interface DiskFile {
  flushed: Buffer;
  pending: Change[];
}

/** What a program did to its disk, as strace has seen it, and what it said to its stdout. */
export type DiskOperation =
  | { readonly kind: 'open'; readonly fd: number; readonly path: string; readonly create: boolean }
  | { readonly kind: 'close'; readonly fd: number }
  | { readonly kind: 'write'; readonly fd: number; readonly at: number; readonly octets: Buffer }
  | { readonly kind: 'truncate'; readonly fd: number; readonly length: number }
  | { readonly kind: 'flush'; readonly fd: number }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'say'; readonly text: string };

/** What `strace` is to be told, so that `readTrace` can read it. */
export function straceArguments(output: string): readonly string[] {
  const calls = 'openat,close,pwrite64,pwritev,pwritev2,write,writev,ftruncate,fsync,fdatasync,unlink,rename,mmap';
  return ['-xx', '-s', '100000', '-e', `trace=${calls}`, '-o', output];
}

/**
 * Reads what strace has written of one thread.
 *
 * @param folder only what happens in it, and on stdout, counts
 */
export async function* readTrace(trace: string, folder: string): AsyncGenerator<DiskOperation> {
  const fds = new Set<number>();
  for await (const line of createInterface(createReadStream(trace))) {
    const [, call, given, result] = /^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+)/.exec(line) ?? [];
    if (call === undefined || given === undefined || Number(result) < 0) continue;
    const [text = ''] = /"[^"]*"/.exec(given) ?? [];
    const octets = Buffer.from(text.replaceAll(/"|\\x/g, ''), 'hex');
    const numbers = given.replaceAll(/"[^"]*"/g, '').split(', ');
    const fd = Number(numbers[0]);
    if (call === 'openat') {
      const path = octets.toString();
      if (path !== folder && !path.startsWith(`${folder}/`)) continue;
      fds.add(Number(result));
      yield { kind: 'open', fd: Number(result), path, create: given.includes('O_CREAT') };
    } else if (call === 'unlink') {
      if (octets.toString().startsWith(`${folder}/`)) yield { kind: 'remove', path: octets.toString() };
    } else if (call === 'write' && fd === 1) {
      yield { kind: 'say', text: octets.toString() };
    } else if (fds.has(fd)) {
      if (call === 'close') fds.delete(fd);
      yield operationOn(call, fd, numbers, octets, Number(result), line);
    }
  }
}

function operationOn(
  call: string,
  fd: number,
  numbers: readonly string[],
  octets: Buffer,
  result: number,
  line: string,
): DiskOperation {
  switch (call) {
    case 'close':
      return { kind: 'close', fd };
    case 'pwrite64':
      if (result !== octets.length) throw new Error(`the trace has ${octets.length} octets of a write of ${result}`);
      return { kind: 'write', fd, at: Number(numbers[3]), octets };
    case 'ftruncate':
      return { kind: 'truncate', fd, length: Number(numbers[1]) };
    case 'fsync':
    case 'fdatasync':
      return { kind: 'flush', fd };
    default:
      throw new Error(`the program has written in a way that is not understood: ${line.slice(0, 200)}`);
  }
}

/**
 * A disk that does what it may at a power cut: of what was not flushed each write is there, torn or lost, whatever its order, and so is each
 * change of a name. For tests only.
 */
export class LossyDisk {
  readonly #folder: string;
  readonly #ignoreFlush: boolean;
  readonly #fds = new Map<number, { readonly path: string; readonly file: DiskFile | undefined }>();
  readonly #names = new Map<string, DiskFile>();
  readonly #flushedNames = new Map<string, DiskFile>();
  #pendingNames: { readonly path: string; readonly file: DiskFile | undefined }[] = [];

  /** @param ignoreFlush a disk that says that it has flushed, and has not */
  constructor(folder: string, ignoreFlush = false) {
    this.#folder = folder;
    this.#ignoreFlush = ignoreFlush;
  }

  /** whether something in this file is not on the disk yet */
  isUnflushed(path: string): boolean {
    return (this.#names.get(path)?.pending.length ?? 0) > 0;
  }

  apply(operation: DiskOperation): void {
    switch (operation.kind) {
      case 'open': {
        const { fd, path, create } = operation;
        if (create && !this.#names.has(path)) this.#rename(path, { flushed: Buffer.alloc(0), pending: [] });
        this.#fds.set(fd, { path, file: this.#names.get(path) });
        return;
      }
      case 'close':
        this.#fds.delete(operation.fd);
        return;
      case 'write':
        this.#fileOf(operation.fd).pending.push(operation);
        return;
      case 'truncate':
        this.#fileOf(operation.fd).pending.push({ length: operation.length });
        return;
      case 'flush':
        if (!this.#ignoreFlush) this.#flush(operation.fd);
        return;
      case 'remove':
        this.#rename(operation.path, undefined);
        return;
      case 'say':
        return;
    }
  }

  /**
   * Writes what the next start finds into another folder.
   *
   * @param random numbers in [0, 1) that decide what survives
   */
  async cutPower(folder: string, random: () => number): Promise<void> {
    const names = new Map(this.#flushedNames);
    for (const { path, file } of this.#pendingNames) {
      if (random() < 0.5) continue;
      if (file === undefined) names.delete(path);
      else names.set(path, file);
    }
    await mkdir(folder, { recursive: true });
    // A program that was killed by the power leaves no shared memory; SQLite makes it anew.
    for (const [path, file] of names) {
      if (!path.endsWith('-shm')) await writeFile(join(folder, basename(path)), survivor(file, random));
    }
  }

  #fileOf(fd: number): DiskFile {
    const file = this.#fds.get(fd)?.file;
    if (file === undefined) throw new Error(`the trace writes to ${fd}, which is no file`);
    return file;
  }

  #rename(path: string, file: DiskFile | undefined): void {
    if (dirname(path) !== this.#folder) throw new Error(`the trace names ${path}, expected a file of ${this.#folder}`);
    if (file === undefined) this.#names.delete(path);
    else this.#names.set(path, file);
    this.#pendingNames.push({ path, file });
  }

  #flush(fd: number): void {
    const opened = this.#fds.get(fd);
    if (opened?.path === this.#folder) {
      for (const { path, file } of this.#pendingNames) {
        if (file === undefined) this.#flushedNames.delete(path);
        else this.#flushedNames.set(path, file);
      }
      this.#pendingNames = [];
    } else if (opened?.file !== undefined) {
      opened.file.flushed = applied(opened.file.flushed, opened.file.pending);
      opened.file.pending = [];
    }
  }
}

function survivor({ flushed, pending }: DiskFile, random: () => number): Buffer {
  // Mostly some of it; now and then all or nothing, as a disk that was quick or slow.
  const share = random();
  const survives = (): boolean => (share < 0.15 ? false : share > 0.85 ? true : random() < share);
  const changes = pending.flatMap((change): readonly Change[] => {
    if (!survives()) return [];
    if ('length' in change || random() < 0.7) return [change];
    const sectors = Math.ceil(change.octets.length / SECTOR);
    const torn = change.octets.subarray(0, Math.floor(random() * sectors) * SECTOR);
    return torn.length === 0 ? [] : [{ at: change.at, octets: torn }];
  });
  return applied(flushed, changes);
}

function applied(content: Buffer, changes: readonly Change[]): Buffer {
  let length = content.length;
  let most = length;
  for (const change of changes) {
    length = 'length' in change ? change.length : Math.max(length, change.at + change.octets.length);
    most = Math.max(most, length);
  }
  const result = Buffer.alloc(most);
  content.copy(result);
  let end = content.length;
  for (const change of changes) {
    if ('length' in change) {
      if (change.length < end) result.fill(0, change.length, end);
      end = change.length;
    } else {
      change.octets.copy(result, change.at);
      end = Math.max(end, change.at + change.octets.length);
    }
  }
  return result.subarray(0, end);
}
