// SPDX-License-Identifier: Apache-2.0
import { CliError } from './cli-error.ts';
import type { EndingSignal, Host } from './host.ts';
import { runCommandLine } from './run.ts';

/** What the world of a test is. */
export interface RecordingHostOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly now?: Date;
  /** what is piped in; nothing unless told */
  readonly stdin?: string | Uint8Array;
  /** what is typed, question by question: at a terminal unless `terminal` is false, then piped in */
  readonly answers?: readonly (string | boolean)[];
  readonly program?: string;
  /** called before text goes to stdout, for example to fail */
  readonly onStdout?: (text: string) => void;
  /** stdin and stderr are a terminal; where there are answers unless told */
  readonly terminal?: boolean;
}

/** A process for tests: it records what is written and answers what is asked. */
export class RecordingHost implements Host {
  stdout = '';
  stderr = '';
  /** the questions that were asked */
  readonly questions: string[] = [];
  networkForbidden = false;
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly #options: RecordingHostOptions;
  readonly #answers: (string | boolean)[];
  readonly #listeners: Set<(signal: EndingSignal) => void> = new Set();
  readonly #hangUps: Set<() => void> = new Set();

  constructor(options: RecordingHostOptions = {}) {
    this.#options = options;
    this.#answers = [...(options.answers ?? [])];
    this.program = options.program ?? 'bulla';
    this.env = options.env ?? {};
  }

  readonly cwd = (): string => this.#options.cwd ?? '/';
  readonly now = (): Date => this.#options.now ?? new Date('2026-01-02T03:04:05Z');
  readonly isTerminal = (): boolean => this.#options.terminal ?? this.#options.answers !== undefined;
  readonly canPrompt = (): boolean => this.#options.answers !== undefined && this.isTerminal();

  readonly writeOut = (text: string): void => {
    this.#options.onStdout?.(text);
    this.stdout += text;
  };

  readonly writeErr = (text: string): void => {
    this.stderr += text;
  };

  readonly readStdin = (maxBytes: number): Promise<Uint8Array> => {
    const bytes = Buffer.from(this.#options.stdin ?? '');
    if (bytes.byteLength <= maxBytes) return Promise.resolve(bytes);
    return Promise.reject(new CliError('input-too-large', `standard input has more than ${maxBytes} bytes`));
  };

  readonly askHidden = (question: string): Promise<string> => Promise.resolve(String(this.#answer(question)));
  readonly askYesNo = (question: string): Promise<boolean> => Promise.resolve(this.#answer(question) === true);

  readonly onSignal = (listener: (signal: EndingSignal) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly onHangUp = (listener: () => void): (() => void) => {
    this.#hangUps.add(listener);
    return () => this.#hangUps.delete(listener);
  };

  readonly forbidNetwork = (): (() => void) => {
    this.networkForbidden = true;
    return () => {
      this.networkForbidden = false;
    };
  };

  /** As if the process were sent a signal. */
  signal(name: EndingSignal): void {
    for (const listener of this.#listeners) listener(name);
  }

  /** As if the process were sent SIGHUP; false where that would have ended it. */
  hangUp(): boolean {
    for (const listener of this.#hangUps) listener();
    return this.#hangUps.size > 0;
  }

  /** Who listens to signals at the moment. */
  get listeners(): number {
    return this.#listeners.size;
  }

  #answer(question: string): string | boolean {
    this.questions.push(question);
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error(`nobody answers: ${question}`);
    return answer;
  }
}

/** What a command line did. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly host: RecordingHost;
}

/**
 * Runs a command line in this process.
 *
 * @example
 * const { code, stdout } = await runRecorded(['version', '--json']);
 */
export async function runRecorded(argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> {
  const host = new RecordingHost(options);
  const code = await runCommandLine(argv, host);
  return { code, stdout: host.stdout, stderr: host.stderr, host };
}
