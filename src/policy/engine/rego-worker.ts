// SPDX-License-Identifier: Apache-2.0
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { ThreadFailure } from './engine-thread.ts';
import { runWasi } from './wasi-host.ts';
import type { WasmModule } from './web-assembly.ts';

/** A question to OPA, as `build/rego/main.go` reads it. */
export interface RegoRequest {
  /** one line of JSON, and the input of the policy after it */
  readonly stdin: Uint8Array;
  /** milliseconds since 1970 */
  readonly now: number;
}

/** What OPA said. */
export interface RegoAnswer {
  readonly kind: 'ended';
  readonly exitCode: number;
  /** JSON */
  readonly stdout: string;
  readonly stderr: string;
}

interface RegoWorkerData {
  readonly role: 'bulla-rego';
  readonly module: WasmModule;
  /** bytes at which Go collects harder */
  readonly memoryLimit: number;
}

/** A thread that runs OPA. It has nothing of our environment, opens no file, and is ended by who waits too long for it. */
export function startRegoWorker(module: WasmModule, memoryLimit: number): Worker {
  return new Worker(new URL(import.meta.url), {
    workerData: { role: 'bulla-rego', module, memoryLimit } satisfies RegoWorkerData,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
}

async function run({ module, memoryLimit }: RegoWorkerData, { stdin, now }: RegoRequest): Promise<RegoAnswer> {
  const env = { GOMEMLIMIT: String(memoryLimit), GOGC: '50' };
  const { exitCode, stdout, stderr } = await runWasi(module, { args: ['rego'], env, stdin, now: new Date(now) });
  return { kind: 'ended', exitCode, stdout: new TextDecoder().decode(stdout), stderr };
}

const data = workerData as RegoWorkerData | null;
if (!isMainThread && data?.role === 'bulla-rego')
  parentPort?.on('message', (request: RegoRequest) => {
    void run(data, request).then(
      (answer) => parentPort?.postMessage(answer, []),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        parentPort?.postMessage({ kind: 'unfinished', message } satisfies ThreadFailure, []);
      },
    );
  });
