// SPDX-License-Identifier: Apache-2.0

/** A signal that asks a process to end. */
export type EndingSignal = 'SIGINT' | 'SIGTERM';

/** The process that a command line runs in: what `CommandContext` is made from, before any flag was read. */
export interface Host {
  /** how the program was called, `bulla` or `cosign`: it shows in texts only */
  readonly program: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** absolute; throws where the working directory is gone */
  cwd(): string;
  now(): Date;
  /** Writes all of it before it returns. @throws CliError `broken-pipe`, `output-failed` */
  writeOut(text: string): void;
  /** Writes what can be written; never throws. */
  writeErr(text: string): void;
  isTerminal(): boolean;
  canPrompt(): boolean;
  readStdin(maxBytes: number): Promise<Uint8Array>;
  askHidden(question: string): Promise<string>;
  askYesNo(question: string): Promise<boolean>;
  /** Calls back at each signal until the returned function is called. */
  onSignal(listener: (signal: EndingSignal) => void): () => void;
  /** Calls back when the process is asked to look at its files again, SIGHUP, which ends it where nobody listens, until the returned function is called. */
  onHangUp(listener: () => void): () => void;
  /** From now on this process connects to nothing, until the returned function is called. */
  forbidNetwork(): () => void;
}
