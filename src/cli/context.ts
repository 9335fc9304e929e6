// SPDX-License-Identifier: Apache-2.0

/** The world as a command sees it: handed in, so that a test can be the world. */
export interface CommandContext {
  /** how the program was called, `bulla` or `cosign` */
  readonly program: string;
  /** data; written when the call returns. Ends the process quietly where the reader is gone */
  readonly stdout: (text: string) => void;
  /** talk: progress, warnings, prompts */
  readonly stderr: (text: string) => void;
  /** one line `WARNING: …` on stderr, kept in `warnings` */
  readonly warn: (text: string) => void;
  /** a line on stderr with `--verbose` only */
  readonly debug: (text: string) => void;
  /** what was warned of so far, for the JSON output */
  readonly warnings: readonly string[];

  readonly env: Readonly<Record<string, string | undefined>>;
  /** absolute */
  readonly cwd: string;
  readonly now: () => Date;

  /** stderr is a terminal */
  readonly isTerminal: boolean;
  /** stdin is a terminal, so that somebody can be asked */
  readonly canPrompt: boolean;
  /** stderr may be coloured: a terminal, no NO_COLOR, no `--no-color`, TERM is not `dumb` */
  readonly color: boolean;

  /** `--json`: stdout is one JSON document */
  readonly json: boolean;
  /** `--verbose` */
  readonly verbose: boolean;
  /** `--no-network`: no socket is opened */
  readonly noNetwork: boolean;
  /** `--timeout` in milliseconds; `undefined` for no limit */
  readonly timeoutMs: number | undefined;
  /** aborted by SIGINT, SIGTERM and the timeout; `reason` is the CliError to throw */
  readonly signal: AbortSignal;
  /** Calls back at SIGHUP until the returned function is called: for services, which then look at their files again. */
  readonly onHangUp: (listener: () => void) => () => void;

  /** All of stdin. @throws CliError `input-too-large` */
  readStdin(maxBytes: number): Promise<Uint8Array>;
  /** Asks on the terminal without showing what is typed. @throws CliError `declined` on Ctrl-C, `no-terminal` */
  askHidden(question: string): Promise<string>;
  /** Asks on the terminal for yes or no; no by default. @throws CliError `no-terminal` */
  askYesNo(question: string): Promise<boolean>;
}
