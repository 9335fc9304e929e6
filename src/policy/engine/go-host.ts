// SPDX-License-Identifier: Apache-2.0
import { randomFillSync } from 'node:crypto';
import { compileFunction } from 'node:vm';
import type { WasmImports, WasmInstance } from './web-assembly.ts';

/** What Go's own runtime for JavaScript (`wasm_exec.js`) gives to run a program that was built for it. */
export interface GoHost {
  argv: string[];
  env: Record<string, string>;
  exit: (code: number) => void;
  readonly importObject: WasmImports;
  run(instance: WasmInstance): Promise<void>;
}

/**
 * Loads the runtime with a world of its own: files that are in memory, no process, no network, and none of this program's globals.
 *
 * @param text of `wasm_exec.js`
 * @see https://go.dev/wiki/WebAssembly
 */
export function loadGoHost(text: string, files: MemoryFiles): GoHost {
  const world: Record<string, unknown> & { Go?: new () => GoHost } = {
    fs: files.system(),
    process: PROCESS,
    crypto: { getRandomValues: (bytes: Uint8Array): Uint8Array => randomFillSync(bytes) },
    performance,
    TextEncoder,
    TextDecoder,
    Object,
    Array,
    Uint8Array,
    Uint8ClampedArray,
    Date,
    Error,
  };
  // By these names it would reach ours.
  const names = ['fs', 'process', 'crypto', 'performance', 'require', 'module', 'exports', 'window', 'self'];
  const load = compileFunction(text, ['global', ...names]) as (...given: readonly unknown[]) => void;
  load(world, ...names.map((name) => world[name]));
  if (world.Go === undefined) throw new Error('its runtime is not one of Go');
  return new world.Go();
}

const notImplemented = (): never => {
  throw failure('ENOSYS');
};

const PROCESS = {
  getuid: (): number => -1,
  getgid: (): number => -1,
  geteuid: (): number => -1,
  getegid: (): number => -1,
  getgroups: notImplemented,
  pid: -1,
  ppid: -1,
  umask: notImplemented,
  cwd: (): string => '/',
  chdir: notImplemented,
};

type Callback = (error: Error | null, result?: unknown) => void;

const MAX_SAID = 256 * 1024;
const MODE = { file: 0o100444, folder: 0o40555 } as const;
/** as the program asks for them; the values are its own affair */
const CONSTANTS = { O_WRONLY: 1, O_RDWR: 2, O_CREAT: 64, O_EXCL: 128, O_TRUNC: 512, O_APPEND: 1024 } as const;

/** A folder of files that can be read, and nothing else; keeps what is written to standard error. */
export class MemoryFiles {
  readonly #files: ReadonlyMap<string, Uint8Array>;
  readonly #open: Map<number, { readonly bytes: Uint8Array; at: number }> = new Map();
  readonly #decoder = new TextDecoder();
  #next = 3;
  #errors = '';

  constructor(files: ReadonlyMap<string, Uint8Array>) {
    this.#files = files;
  }

  /** What was written to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** In the shape of `node:fs`, as far as Go asks for it. All else is not implemented. */
  system(): object {
    const calls: Record<string, unknown> = {
      constants: CONSTANTS,
      writeSync: (fd: number, bytes: Uint8Array) => this.#write(fd, bytes),
      write: (fd: number, bytes: Uint8Array, offset: number, length: number, _at: unknown, done: Callback) => {
        done(null, this.#write(fd, bytes.subarray(offset, offset + length)));
      },
      open: (path: string, flags: number, _mode: number, done: Callback) => this.#openFile(path, flags, done),
      read: (fd: number, into: Uint8Array, offset: number, length: number, at: number | null, done: Callback) =>
        this.#read(fd, into.subarray(offset, offset + length), at, done),
      close: (fd: number, done: Callback) => done(this.#open.delete(fd) ? null : failure('EBADF')),
      fstat: (fd: number, done: Callback) => {
        const file = this.#open.get(fd);
        if (file === undefined) done(failure('EBADF'));
        else done(null, status(file.bytes));
      },
      stat: (path: string, done: Callback) => this.#stat(path, done),
      lstat: (path: string, done: Callback) => this.#stat(path, done),
    };
    const missing = (...given: readonly unknown[]): void => {
      const done = given.at(-1);
      if (typeof done === 'function') done(failure('ENOSYS'));
    };
    return new Proxy(calls, {
      get: (target, name) => (typeof name === 'string' ? target[name] : undefined) ?? missing,
    });
  }

  #write(fd: number, bytes: Uint8Array): number {
    if (fd === 2 && this.#errors.length < MAX_SAID) this.#errors += this.#decoder.decode(bytes, { stream: true });
    return bytes.byteLength;
  }

  #openFile(path: string, flags: number, done: Callback): void {
    const bytes = this.#files.get(path);
    if (bytes === undefined || (flags & (CONSTANTS.O_WRONLY | CONSTANTS.O_RDWR | CONSTANTS.O_CREAT)) !== 0) {
      done(failure(bytes === undefined ? 'ENOENT' : 'EROFS'));
      return;
    }
    const fd = this.#next++;
    this.#open.set(fd, { bytes, at: 0 });
    done(null, fd);
  }

  #read(fd: number, into: Uint8Array, at: number | null, done: Callback): void {
    const file = this.#open.get(fd);
    if (file === undefined) {
      // nothing comes from standard input
      done(fd === 0 ? null : failure('EBADF'), 0);
      return;
    }
    const from = at ?? file.at;
    const part = file.bytes.subarray(from, from + into.byteLength);
    into.set(part);
    if (at === null) file.at += part.byteLength;
    done(null, part.byteLength);
  }

  #stat(path: string, done: Callback): void {
    const bytes = path === '/' || path === '.' ? undefined : this.#files.get(path);
    if (bytes === undefined && path !== '/' && path !== '.') done(failure('ENOENT'));
    else done(null, status(bytes));
  }
}

function status(bytes: Uint8Array | undefined): object {
  const numbers = { dev: 1, ino: 1, nlink: 1, uid: 0, gid: 0, rdev: 0, blksize: 4096, blocks: 1 };
  const times = { atimeMs: 0, mtimeMs: 0, ctimeMs: 0 };
  const mode = bytes === undefined ? MODE.folder : MODE.file;
  return { ...numbers, ...times, mode, size: bytes?.byteLength ?? 0, isDirectory: () => bytes === undefined };
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
