// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { ENGINE_DEADLINE, type ProgramInput, type ProgramQuery } from './engine.ts';
import { unfinished } from './engine-thread.ts';
import { FORBIDDEN_FUNCTIONS } from './rego-answer.ts';
import { RegoEngine, type Opa, type OpaCheck, type OpaModule, type OpaValue } from './rego-engine.ts';

const MAX_MEMORY = 640 * 1024 * 1024;
/** Go reserves addresses that it does not use. */
const MAX_ADDRESSES = 4 * 1024 * 1024 * 1024;
const MAX_SAID = 16 * 1024 * 1024;

interface OpaProgram {
  /** absolute */
  readonly path: string;
  /** milliseconds for one run */
  readonly deadline: number;
}

/** What a program is told to leave out, and which version it speaks if nobody says otherwise. */
interface OpaSettings {
  readonly capabilities: string;
  readonly major: number;
}

/** A program `opa`, 0.59 or later. @param path absolute */
export function processRegoEngine(path: string, deadline: number = ENGINE_DEADLINE): RegoEngine {
  // asked once
  let settings: Promise<OpaSettings> | undefined;
  return new RegoEngine(
    () => new ProcessOpa({ path, deadline }, async () => (settings ??= readSettings({ path, deadline }))),
  );
}

async function readSettings(program: OpaProgram): Promise<OpaSettings> {
  const { path } = program;
  const version = await run(program, ['version']);
  const [, major] = /^Version: (\d+)\./m.exec(version.stdout) ?? [];
  const known = await run(program, ['capabilities', '--current']);
  if (major === undefined || known.exitCode !== 0)
    throw unfinished('Rego', `${path} does not say which version of OPA it is: ${version.stderr || version.stdout}`);
  const value = parseJson(Buffer.from(known.stdout), { what: `the capabilities of ${path}`, maxBytes: MAX_SAID });
  const builtins = isJsonObject(value) && Array.isArray(value['builtins']) ? (value['builtins'] as Json[]) : [];
  const allowed = builtins.filter(
    (one) => isJsonObject(one) && typeof one['name'] === 'string' && !FORBIDDEN_FUNCTIONS.includes(one['name']),
  );
  const capabilities = JSON.stringify({ ...(value as object), builtins: allowed, allow_net: [] });
  return { capabilities, major: Number(major) };
}

class ProcessOpa implements Opa {
  readonly #program: OpaProgram;
  readonly #settings: () => Promise<OpaSettings>;
  #folder: Promise<string> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(program: OpaProgram, settings: () => Promise<OpaSettings>) {
    this.#program = program;
    this.#settings = settings;
  }

  async check(texts: readonly string[], version: ProgramQuery['version']): Promise<OpaCheck> {
    const files = texts.map((_, at) => fileName(at));
    const checked = await this.#run(texts, version, ['check', '--capabilities', 'capabilities.json', ...files]);
    if (checked.exitCode !== 0) return { kind: 'fault', text: checked.stderr || checked.stdout };
    return { kind: 'read', modules: texts.map(describeModule) };
  }

  async evaluate(
    texts: readonly string[],
    { rule, version }: ProgramQuery,
    { bytes, now }: ProgramInput,
  ): Promise<OpaValue> {
    const query = `${rule} with time.now_ns as ${BigInt(now.getTime()) * 1_000_000n}`;
    const files = texts.flatMap((_, at) => ['--data', fileName(at)]);
    const flags = ['--format', 'json', '--capabilities', 'capabilities.json', ...files, '--stdin-input'];
    const said = await this.#run(texts, version, ['eval', ...flags, query], bytes);
    const value = said.stdout.startsWith('{')
      ? parseJson(Buffer.from(said.stdout), { what: 'what OPA said', maxBytes: MAX_SAID })
      : null;
    if (!isJsonObject(value)) throw unfinished('Rego', `opa failed: ${said.stderr.slice(0, 200)}`);
    const { errors, result } = value;
    if (Array.isArray(errors)) {
      const messages = errors.map((error) => (isJsonObject(error) ? error['message'] : undefined));
      return { kind: 'failed', text: messages.filter((one) => typeof one === 'string').join('; ') };
    }
    if (said.exitCode !== 0) throw unfinished('Rego', `opa failed: ${said.stderr.slice(0, 200)}`);
    return { kind: 'value', value: firstValue(result) };
  }

  async end(): Promise<void> {
    await this.#last.catch(() => undefined);
    const folder = await this.#folder?.catch(() => undefined);
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }

  async #run(
    texts: readonly string[],
    version: ProgramQuery['version'],
    args: readonly string[],
    stdin?: Uint8Array,
  ): Promise<Said> {
    const turn = this.#last.then(async () => {
      const { capabilities, major } = await this.#settings();
      const cwd = await (this.#folder ??= mkdtemp(join(tmpdir(), 'bulla-rego-')));
      for (const [at, text] of texts.entries()) await writeFile(join(cwd, fileName(at)), text, { mode: 0o600 });
      await writeFile(join(cwd, 'capabilities.json'), capabilities, { mode: 0o600 });
      const other = version === 'v1' ? (major < 1 ? ['--v1-compatible'] : []) : major < 1 ? [] : ['--v0-compatible'];
      return run(this.#program, [...args, ...other], { cwd, stdin });
    });
    // the next has its turn whatever became of this one
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

/**
 * The package and the rules of a policy that OPA has found to be right. Of the older version `opa parse` does not tell them; a rule that is
 * none after all is undefined when it is asked, and that is a refusal.
 */
function describeModule(text: string): OpaModule {
  const [, name = ''] = /^[ \t]*package[ \t]+([\w.]+)/m.exec(text) ?? [];
  const rules = [...text.matchAll(/^[ \t]*(?:default[ \t]+)?([A-Za-z_]\w*)/gm)].map(([, rule = '']) => rule);
  return { package: `data.${name}`, rules: [...new Set(rules)] };
}

function fileName(at: number): string {
  return `policy${at + 1}.rego`;
}

function firstValue(result: Json | undefined): Json | undefined {
  const first = Array.isArray(result) ? result[0] : undefined;
  const expressions = isJsonObject(first) ? first['expressions'] : undefined;
  const expression = Array.isArray(expressions) ? expressions[0] : undefined;
  return isJsonObject(expression) ? expression['value'] : undefined;
}

interface Said {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with nothing of our environment, a cap on its memory where the system has one, and a deadline. */
function run(
  { path, deadline }: OpaProgram,
  args: readonly string[],
  { cwd, stdin }: { readonly cwd?: string; readonly stdin?: Uint8Array | undefined } = {},
): Promise<Said> {
  const limited = `ulimit -v ${MAX_ADDRESSES / 1024} 2>/dev/null; exec "$0" "$@"`;
  const [command, given] =
    process.platform === 'win32' ? [path, args] : (['/bin/sh', ['-c', limited, path, ...args]] as const);
  return new Promise((resolve, reject) => {
    const child = spawn(command, given, {
      env: { GOMEMLIMIT: String(MAX_MEMORY) },
      stdio: 'pipe',
      ...(cwd === undefined ? {} : { cwd }),
    });
    const said = [[], []] as readonly [Buffer[], Buffer[]];
    let length = 0;
    let why: string | undefined;
    const kill = (reason: string): void => {
      why ??= reason;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => kill(`it took more than ${deadline} ms`), deadline);
    const keep = (into: Buffer[]) => (part: Buffer) => {
      length += part.byteLength;
      if (length > MAX_SAID) kill(`its answer is larger than ${MAX_SAID} bytes`);
      else into.push(part);
    };
    child.stdout.on('data', keep(said[0]));
    child.stderr.on('data', keep(said[1]));
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(unfinished('Rego', `${path} could not be started: ${error.message}`));
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      const [stdout, stderr] = said.map((parts) => Buffer.concat(parts).toString()) as [string, string];
      if (why === undefined && /out of memory|cannot allocate memory/.test(stderr)) why = 'it needs too much memory';
      if (why === undefined && signal !== null) why = `opa was ended by ${signal}`;
      if (why === undefined) resolve({ exitCode, stdout, stderr });
      else reject(unfinished('Rego', why));
    });
    // it may end before it has read all
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin ?? '');
  });
}
