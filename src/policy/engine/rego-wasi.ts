// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { parseJson, type Json } from '../../wire/index.ts';
import { capMemory } from './capped-module.ts';
import { ENGINE_DEADLINE, type ProgramInput, type ProgramQuery } from './engine.ts';
import { EngineThread, unfinished } from './engine-thread.ts';
import { FORBIDDEN_FUNCTIONS } from './rego-answer.ts';
import { RegoEngine, type Opa, type OpaCheck, type OpaModule, type OpaValue } from './rego-engine.ts';
import { wasm, type WasmModule } from './web-assembly.ts';
import { startRegoWorker, type RegoAnswer, type RegoRequest } from './rego-worker.ts';

const MAX_MEMORY = 640 * 1024 * 1024;
const MAX_ANSWER = 16 * 1024 * 1024;

/** OPA built for WASI by `npm run build:rego`. @param path of that file */
export function wasiRegoEngine(path: string, deadline: number = ENGINE_DEADLINE): RegoEngine {
  // compiled once: that takes longer than to run it
  let module: Promise<WasmModule> | undefined;
  return new RegoEngine(() => new WasiOpa(async () => (module ??= compile(path)), deadline));
}

async function compile(path: string): Promise<WasmModule> {
  const capped = capMemory(await readFile(path), MAX_MEMORY);
  if (capped === undefined) throw unfinished('Rego', `${path} is not a program in WebAssembly`);
  return wasm.compile(capped);
}

/** An answer of `build/rego/main.go`. */
interface Said {
  readonly fault?: string;
  readonly modules?: readonly OpaModule[];
  readonly value?: Json;
  readonly defined: boolean;
}

class WasiOpa implements Opa {
  readonly #thread: EngineThread<RegoRequest, RegoAnswer>;

  constructor(load: () => Promise<WasmModule>, deadline: number) {
    const start = async (): Promise<ReturnType<typeof startRegoWorker>> =>
      startRegoWorker(await load(), Math.floor(MAX_MEMORY * 0.8));
    this.#thread = new EngineThread('Rego', start, deadline);
  }

  async check(texts: readonly string[], version: ProgramQuery['version']): Promise<OpaCheck> {
    const said = await this.#ask({ texts, version }, new Date(0), new Uint8Array());
    if (said.fault !== undefined) return { kind: 'fault', text: said.fault };
    return { kind: 'read', modules: said.modules ?? [] };
  }

  async evaluate(
    texts: readonly string[],
    { rule, version }: ProgramQuery,
    { bytes, now }: ProgramInput,
  ): Promise<OpaValue> {
    const said = await this.#ask({ texts, version, query: rule }, now, bytes);
    if (said.fault !== undefined) return { kind: 'failed', text: said.fault };
    return { kind: 'value', value: said.defined ? (said.value ?? null) : undefined };
  }

  end(): Promise<void> {
    return this.#thread.end();
  }

  async #ask(request: object, now: Date, input: Uint8Array): Promise<Said> {
    const nanoseconds = String(BigInt(now.getTime()) * 1_000_000n);
    const line = JSON.stringify({ ...request, forbidden: FORBIDDEN_FUNCTIONS, now: nanoseconds });
    const stdin = Buffer.concat([Buffer.from(`${line}\n`), input]);
    const { exitCode, stdout, stderr } = await this.#thread.ask({ stdin, now: now.getTime() });
    if (exitCode === 0) {
      const said = parseJson(Buffer.from(stdout), { what: 'what OPA said', maxBytes: MAX_ANSWER });
      return said as unknown as Said;
    }
    // Go itself gave up
    const why = stderr.includes('out of memory')
      ? `it needs more than ${MAX_MEMORY / 1024 / 1024} MiB`
      : `its engine failed: ${stderr.slice(0, 200)}`;
    throw unfinished('Rego', why);
  }
}
