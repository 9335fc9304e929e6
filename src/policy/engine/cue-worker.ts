// SPDX-License-Identifier: Apache-2.0
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { ThreadFailure } from './engine-thread.ts';
import { loadGoHost, MemoryFiles } from './go-host.ts';
import { wasm, type WasmModule } from './web-assembly.ts';

/** A command of CUE over files that are in memory. */
export interface CueRequest {
  /** as `cue` takes them */
  readonly args: readonly string[];
  /** by absolute path */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What the command said. */
export interface CueAnswer {
  readonly kind: 'ended';
  readonly exitCode: number;
  readonly stderr: string;
}

/** CUE in WebAssembly, and the text of what its runtime needs around it. */
export interface CueProgram {
  readonly module: WasmModule;
  readonly host: string;
}

interface CueWorkerData {
  readonly role: 'bulla-cue';
  readonly program: CueProgram;
}

/** A thread that runs CUE. It has nothing of our environment, opens no file, and is ended by who waits too long for it. */
export function startCueWorker(program: CueProgram): Worker {
  return new Worker(new URL(import.meta.url), {
    workerData: { role: 'bulla-cue', program } satisfies CueWorkerData,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
}

async function run({ module, host }: CueProgram, { args, files }: CueRequest): Promise<CueAnswer> {
  const memory = new MemoryFiles(files);
  const go = loadGoHost(host, memory);
  let exitCode = -1;
  go.argv = ['cue', ...args];
  // collects earlier: the input is the larger part of what is held
  go.env = { PWD: '/', GOGC: '50' };
  go.exit = (code: number): void => {
    exitCode = code;
  };
  await go.run(await wasm.instantiate(module, go.importObject));
  return { kind: 'ended', exitCode, stderr: memory.errors };
}

const data = workerData as CueWorkerData | null;
if (!isMainThread && data?.role === 'bulla-cue')
  parentPort?.on('message', (request: CueRequest) => {
    void run(data.program, request).then(
      (answer) => parentPort?.postMessage(answer, []),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        parentPort?.postMessage({ kind: 'unfinished', message } satisfies ThreadFailure, []);
      },
    );
  });
