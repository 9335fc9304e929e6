// SPDX-License-Identifier: Apache-2.0
import { randomFillSync } from 'node:crypto';
import { wasm, type WasmMemory, type WasmModule } from './web-assembly.ts';

const ERRNO = { success: 0, badFile: 8, fault: 21, notSupported: 52 } as const;
const CHARACTER_DEVICE = 2;
const MAX_SAID = 16 * 1024 * 1024;

/** Ends a program from within. */
class ProgramExit extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** What a program has as its world. */
export interface WasiWorld {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** what its clock shows */
  readonly now: Date;
}

/** What a program said before it ended. */
export interface WasiRun {
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/**
 * Runs a program that was built for WASI, with standard input, output and error, a clock and chance, and nothing else: there is no folder,
 * no socket and no other file that it could open. Node's own WASI says of itself that it does not keep programs in.
 *
 * @see https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
 */
export async function runWasi(module: WasmModule, world: WasiWorld): Promise<WasiRun> {
  const host = new WasiHost(world);
  const calls = host.calls();
  const wanted = wasm.Module.imports(module);
  const given = Object.fromEntries(wanted.map(({ name }) => [name, calls[name] ?? ((): number => ERRNO.notSupported)]));
  const instance = await wasm.instantiate(module, { wasi_snapshot_preview1: given });
  const { memory, _start: start } = instance.exports;
  if (!isMemory(memory) || typeof start !== 'function') throw new TypeError('not a program that was built for WASI');
  host.memory = memory;
  try {
    start();
    return host.ended(0);
  } catch (error) {
    if (error instanceof ProgramExit) return host.ended(error.exitCode);
    throw error;
  }
}

function isMemory(value: unknown): value is WasmMemory {
  return typeof value === 'object' && value !== null && 'buffer' in value && value.buffer instanceof ArrayBuffer;
}

type HostCall = (...given: never[]) => number;

class WasiHost {
  memory: WasmMemory | undefined;
  readonly #args: readonly Uint8Array[];
  readonly #env: readonly Uint8Array[];
  readonly #stdin: Uint8Array;
  readonly #said: readonly [out: Uint8Array[], errors: Uint8Array[]] = [[], []];
  readonly #now: bigint;
  readonly #began: number = performance.now();
  #read = 0;
  #length = 0;

  constructor({ args, env, stdin, now }: WasiWorld) {
    const text = (one: string): Uint8Array => Buffer.from(`${one}\0`);
    this.#args = args.map(text);
    this.#env = Object.entries(env).map(([name, value]) => text(`${name}=${value}`));
    this.#stdin = stdin;
    this.#now = BigInt(now.getTime()) * 1_000_000n;
  }

  ended(exitCode: number): WasiRun {
    const [out, errors] = this.#said;
    return { exitCode, stdout: Buffer.concat(out), stderr: Buffer.concat(errors).toString() };
  }

  calls(): Readonly<Record<string, HostCall>> {
    return {
      args_sizes_get: (count: number, size: number) => this.#sizes(this.#args, count, size),
      args_get: (places: number, texts: number) => this.#texts(this.#args, places, texts),
      environ_sizes_get: (count: number, size: number) => this.#sizes(this.#env, count, size),
      environ_get: (places: number, texts: number) => this.#texts(this.#env, places, texts),
      clock_time_get: (clock: number, _precision: bigint, into: number) => this.#clock(clock, into),
      random_get: (into: number, length: number) => {
        randomFillSync(this.#bytes(into, length));
        return ERRNO.success;
      },
      fd_read: (fd: number, parts: number, count: number, into: number) => this.#readInput(fd, parts, count, into),
      fd_write: (fd: number, parts: number, count: number, into: number) => this.#write(fd, parts, count, into),
      fd_fdstat_get: (fd: number, into: number) => this.#status(fd, into),
      fd_fdstat_set_flags: (fd: number) => (fd <= 2 ? ERRNO.success : ERRNO.badFile),
      fd_prestat_get: () => ERRNO.badFile,
      fd_prestat_dir_name: () => ERRNO.badFile,
      fd_close: () => ERRNO.badFile,
      sched_yield: () => ERRNO.success,
      poll_oneoff: (asked: number, into: number, count: number, found: number) => this.#poll(asked, into, count, found),
      proc_exit: (exitCode: number): never => {
        throw new ProgramExit(exitCode);
      },
    };
  }

  get #view(): DataView {
    return new DataView((this.memory as WasmMemory).buffer);
  }

  #bytes(at: number, length: number): Uint8Array {
    return new Uint8Array((this.memory as WasmMemory).buffer, at >>> 0, length >>> 0);
  }

  #sizes(texts: readonly Uint8Array[], count: number, size: number): number {
    const view = this.#view;
    view.setUint32(count, texts.length, true);
    const bytes = texts.reduce((sum, text) => sum + text.byteLength, 0);
    view.setUint32(size, bytes, true);
    return ERRNO.success;
  }

  #texts(texts: readonly Uint8Array[], places: number, into: number): number {
    const view = this.#view;
    let at = into;
    for (const [index, text] of texts.entries()) {
      view.setUint32(places + 4 * index, at, true);
      this.#bytes(at, text.byteLength).set(text);
      at += text.byteLength;
    }
    return ERRNO.success;
  }

  /** The time of the day is the decision's; how long something takes is measured. */
  #clock(clock: number, into: number): number {
    const passed = BigInt(Math.round((performance.now() - this.#began) * 1e6));
    this.#view.setBigUint64(into, clock === 0 ? this.#now : passed + 1n, true);
    return ERRNO.success;
  }

  *#parts(parts: number, count: number): Generator<Uint8Array> {
    const view = this.#view;
    for (let index = 0; index < count; index++) {
      const at = parts + 8 * index;
      yield this.#bytes(view.getUint32(at, true), view.getUint32(at + 4, true));
    }
  }

  #readInput(fd: number, parts: number, count: number, into: number): number {
    if (fd !== 0) return ERRNO.badFile;
    let length = 0;
    for (const part of this.#parts(parts, count)) {
      const bytes = this.#stdin.subarray(this.#read, this.#read + part.byteLength);
      part.set(bytes);
      this.#read += bytes.byteLength;
      length += bytes.byteLength;
    }
    this.#view.setUint32(into, length, true);
    return ERRNO.success;
  }

  #write(fd: number, parts: number, count: number, into: number): number {
    const said = fd === 1 || fd === 2 ? this.#said[fd - 1] : undefined;
    if (said === undefined) return ERRNO.badFile;
    let length = 0;
    for (const part of this.#parts(parts, count)) {
      this.#length += part.byteLength;
      if (this.#length > MAX_SAID) throw new RangeError(`its answer is larger than ${MAX_SAID} bytes`);
      said.push(part.slice());
      length += part.byteLength;
    }
    this.#view.setUint32(into, length, true);
    return ERRNO.success;
  }

  #status(fd: number, into: number): number {
    if (fd > 2) return ERRNO.badFile;
    this.#bytes(into, 24).fill(0);
    this.#view.setUint8(into, CHARACTER_DEVICE);
    this.#view.setBigUint64(into + 8, 0xffffffffn, true);
    return ERRNO.success;
  }

  /** Go sleeps by it. One waits for the earliest clock, and says that all of them have run. */
  #poll(asked: number, into: number, count: number, found: number): number {
    const view = this.#view;
    let wait = Infinity;
    for (let index = 0; index < count; index++) {
      const at = asked + 48 * index;
      const event = into + 32 * index;
      const type = view.getUint8(at + 8);
      this.#bytes(event, 32).fill(0);
      view.setBigUint64(event, view.getBigUint64(at, true), true);
      view.setUint8(event + 10, type);
      if (type === 0) wait = Math.min(wait, this.#timeout(view, at));
      else view.setUint16(event + 8, ERRNO.notSupported, true);
    }
    if (Number.isFinite(wait) && wait > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
    view.setUint32(found, count, true);
    return ERRNO.success;
  }

  /** milliseconds */
  #timeout(view: DataView, at: number): number {
    const timeout = Number(view.getBigUint64(at + 24, true)) / 1e6;
    const absolute = (view.getUint16(at + 40, true) & 1) === 1;
    return Math.min(absolute ? timeout - (performance.now() - this.#began) : timeout, 1000);
  }
}
