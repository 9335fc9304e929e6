// SPDX-License-Identifier: Apache-2.0
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { CelInput } from '@bufbuild/cel';
import type { Json } from '../../wire/index.ts';

/** A policy in CEL and what it is about. */
export interface CelRequest {
  readonly text: string;
  /** JSON of an object whose members are the variables */
  readonly variables: Uint8Array;
  /** what the variable `now` is, in milliseconds since 1970 */
  readonly now: number;
}

/** What came of it; a failure is one of the policy on this input: a field that is not there, a result that is neither true nor false. */
export type CelAnswer =
  | { readonly kind: 'result'; readonly holds: boolean }
  | { readonly kind: 'failed'; readonly message: string };

const ROLE = 'bulla-cel';

/** A thread that evaluates. It has a cap on memory, nothing of our environment, and is ended by who waits too long for it. */
export function startCelWorker(): Worker {
  return new Worker(new URL(import.meta.url), {
    workerData: ROLE,
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
}

/** Why a text is no expression of CEL; `undefined` if it is one. */
export async function celFault(text: string): Promise<string | undefined> {
  const { parse } = await import('@bufbuild/cel');
  try {
    parse(text);
    return undefined;
  } catch (error) {
    // deep nesting ends in a RangeError
    return error instanceof Error ? error.message : String(error);
  }
}

/** Evaluates on this thread: what the worker does. */
async function evaluate({ text, variables, now }: CelRequest): Promise<CelAnswer> {
  const [{ isCelError, run }, { strings }, { RE2JS }] = await Promise.all([
    import('@bufbuild/cel'),
    import('@bufbuild/cel/ext'),
    import('re2js'),
  ]);
  // what was read of an attestation has no member twice, and was capped
  const value = JSON.parse(new TextDecoder().decode(variables)) as { readonly [name: string]: Json };
  const bindings: Record<string, CelInput> = {};
  for (const [name, member] of Object.entries(value)) bindings[name] = inputOf(member);
  const { statement } = value;
  if (isObject(statement)) bindings['predicate'] = inputOf(statement['predicate'] ?? null);
  const clock = run(`timestamp("${new Date(now).toISOString()}")`);
  if (!isCelError(clock)) bindings['now'] = clock as CelInput;
  // the engine's own expressions may backtrack
  const re2 = {
    compile(pattern: string) {
      const compiled = RE2JS.compile(pattern);
      return { test: (candidate: string) => compiled.test(candidate) };
    },
  };
  const result = run(text, bindings, { funcs: [...strings], re2 });
  if (isCelError(result)) return { kind: 'failed', message: result.message };
  return typeof result === 'boolean'
    ? { kind: 'result', holds: result }
    : { kind: 'failed', message: `its result is of the type ${typeof result}, expected true or false` };
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function inputOf(value: Json): CelInput {
  if (Array.isArray(value)) return value.map((item: Json) => inputOf(item));
  if (typeof value === 'object' && value !== null)
    return new Map(Object.entries(value).map(([name, member]) => [name, inputOf(member)] as const));
  return value;
}

if (!isMainThread && workerData === ROLE)
  parentPort?.on('message', (request: CelRequest) => {
    void evaluate(request).then(
      (answer) => parentPort?.postMessage(answer, []),
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        parentPort?.postMessage({ kind: 'failed', message } satisfies CelAnswer, []);
      },
    );
  });
