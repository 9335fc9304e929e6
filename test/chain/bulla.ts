// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The command line of this checkout, as a user runs it. */
export const BULLA: string = join(import.meta.dirname, '..', '..', 'bin', 'bulla');

const RECORDER = join(import.meta.dirname, 'record-run.ts');

/** How a command line is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** what is piped in; nothing unless told. `open` is a pipe into which nobody has written yet */
  readonly stdin?: string | Uint8Array | { readonly open: true };
  /** keeps what the process itself knows: its peak memory and its sockets */
  readonly record?: boolean;
}

/** What a process knows of itself at its end. */
export interface RunRecord {
  /** bytes of memory at the most */
  readonly peakBytes: number;
  /** what was connected to, `connect HOST:PORT`, looked up, `lookup NAME`, or sent to, `send` */
  readonly sockets: readonly string[];
}

/** A process that ended. */
export interface Ended {
  /** as a shell has it: 130 for one that SIGINT ended */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** only with `record` */
  readonly record?: RunRecord;
}

/** A process that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** what it wrote to stderr so far */
  stderr(): string;
}

/** A person's machine: a home, a working folder and a folder for temporary files, and nothing else. */
export class Machine implements Disposable {
  readonly #root: string = mkdtempSync(join(tmpdir(), 'bulla-chain-'));
  readonly work: string = this.#folder('work');
  readonly home: string = this.#folder('home');
  readonly temporary: string = this.#folder('tmp');
  readonly #running = new Set<ChildProcess>();
  #records = 0;

  /** Runs a command line to its end. */
  async bulla(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return await this.start(args, options).ended;
  }

  /** Starts a command line. */
  start(args: readonly string[], options: RunOptions = {}): Running {
    return this.spawn(BULLA, args, options);
  }

  /** Starts any program. */
  spawn(program: string, args: readonly string[], options: RunOptions = {}): Running {
    const record = options.record === true ? join(this.#root, `record-${++this.#records}.json`) : undefined;
    const env = { ...this.environment(), ...recorded(record), ...options.env };
    const child = spawn(program, args, { cwd: this.work, env, stdio: 'pipe', timeout: 120_000, killSignal: 'SIGKILL' });
    this.#running.add(child);
    let stderr = '';
    let stdout = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stdin.on('error', () => undefined); // it may end without reading
    const { stdin = '' } = options;
    if (typeof stdin === 'string' || stdin instanceof Uint8Array) child.stdin.end(stdin);
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.#running.delete(child);
        const known = record !== undefined && existsSync(record) ? { record: readRecord(record) } : {};
        resolve({ code: code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0), stdout, stderr, ...known });
      });
    });
    return { child, ended, stderr: () => stderr };
  }

  /** All that is in the three folders: paths with the size of each file. */
  files(): readonly string[] {
    return [this.work, this.home, this.temporary].flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => `${relative(this.#root, path)} ${statSync(path).size}`)
        .toSorted(),
    );
  }

  /** Nothing of the machine that the tests run on; and should anything ever ask for a host of the world, it asks where nobody listens. */
  environment(): Readonly<Record<string, string>> {
    const nowhere = 'http://127.0.0.1:9';
    const local = 'localhost,127.0.0.1,::1';
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.home,
      TMPDIR: this.temporary,
      LC_ALL: 'C',
      HTTP_PROXY: nowhere,
      HTTPS_PROXY: nowhere,
      NO_PROXY: local,
    };
  }

  [Symbol.dispose](): void {
    // what a test that failed has left
    for (const child of this.#running) child.kill('SIGKILL');
    rmSync(this.#root, { recursive: true, force: true });
  }

  #folder(name: string): string {
    const path = join(this.#root, name);
    mkdirSync(path);
    return path;
  }
}

/** Waits until something is so. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 3000) throw new Error(`it never came to pass: ${what}`);
    await sleep(10);
  }
}

function recorded(to: string | undefined): Record<string, string> {
  return to === undefined ? {} : { NODE_OPTIONS: `--import=${RECORDER}`, BULLA_RECORD: to };
}

function readRecord(path: string): RunRecord {
  return JSON.parse(readFileSync(path, 'utf8')) as RunRecord;
}
