// SPDX-License-Identifier: Apache-2.0
import { formatDuration } from './arguments/duration.ts';
import { findCommand } from './arguments/find-command.ts';
import { defaultOf, parseFlags, type ParsedFlags } from './arguments/parse-flags.ts';
import { CliError } from './cli-error.ts';
import { COMMANDS, GROUPS, type CommandEntry } from './command-table.ts';
import type { Command, FlagTable } from './command.ts';
import type { CommandContext } from './context.ts';
import { createContext, type Globals } from './create-context.ts';
import { EXIT, exitCodeOf, exitCodeOfGate } from './exit-code.ts';
import { GLOBAL_FLAGS } from './flags/global.ts';
import type { Host } from './host.ts';
import { errorDocument, printError } from './output/error-line.ts';
import type { Sink } from './output/sink.ts';

/** How long a command may take to put its things away once it was told to end, in milliseconds. */
const GRACE = { command: 2_000, service: 30_000 } as const;

/** characters of a command that are shown in an error */
const MAX_WORDS = 300;

/** Node's timers hold 31 bits. */
const LONGEST_TIMER = 2_147_483_647;

/**
 * Carries out one command line.
 *
 * @param argv the words after the program's name
 * @param host the process it runs in
 * @param commands what it may name
 * @returns the exit code
 */
export async function runCommandLine(
  argv: readonly string[],
  host: Host,
  commands: Readonly<Record<string, CommandEntry>> = COMMANDS,
): Promise<number> {
  const attempt = new Attempt(host, argv.length === 1 && argv[0] === '--version' ? ['version'] : argv, commands);
  try {
    return await attempt.run();
  } catch (error) {
    return attempt.fail(error);
  } finally {
    attempt.end();
  }
}

/** One run: what is known so far, so that a failure at any point is reported in the way that was asked for. */
class Attempt {
  readonly #host: Host;
  readonly #argv: readonly string[];
  readonly #commands: Readonly<Record<string, CommandEntry>>;
  readonly #controller = new AbortController();
  readonly #atEnd: (() => void)[] = [];
  #sink: Sink;
  #globals: Globals;
  /** the command is a gate */
  #gate = false;

  constructor(host: Host, argv: readonly string[], commands: Readonly<Record<string, CommandEntry>>) {
    this.#host = host;
    this.#argv = argv;
    this.#commands = commands;
    this.#sink = countingSink(host);
    // the command line may be what is wrong: until it was read, these words are all there is to go by
    this.#globals = { ...defaultGlobals(), json: argv.includes('--json'), 'no-color': argv.includes('--no-color') };
  }

  async run(): Promise<number> {
    const asked = findCommand(this.#argv, this.#commands, this.#host.program);
    if (asked.kind === 'help') return this.#help(asked.name);
    if (asked.kind === 'nothing') return this.#nothing(asked.rest);
    const { command } = await this.#entry(asked.name).load();
    this.#gate = command.gate === true;
    const parsed = parseFlags(asked.rest, { ...GLOBAL_FLAGS, ...command.flags });
    if (parsed.help) return this.#help(asked.name);
    this.#globals = parsed.flags;
    if (parsed.flags['output-file'] !== undefined) {
      const { openOutputFile } = await import('./output/output-file.ts');
      this.#sink = openOutputFile(parsed.flags['output-file'], this.#host.cwd());
    }
    if (parsed.flags['no-network']) this.#atEnd.push(this.#host.forbidNetwork());
    return await this.#carryOut(command, parsed);
  }

  /** Reports an error. @returns the exit code */
  fail(error: unknown): number {
    if (error instanceof CliError && error.code === 'broken-pipe') return EXIT.brokenPipe;
    printError(this.#context(), error);
    // one document or none: where the command has written already, what it wrote stands
    if (this.#globals.json && !this.#sink.used) {
      try {
        this.#sink.write(errorDocument(error));
        this.#sink.commit();
      } catch (failure) {
        printError(this.#context(), failure);
      }
    }
    return this.#gate ? exitCodeOfGate(error) : exitCodeOf(error);
  }

  end(): void {
    this.#sink.discard();
    for (const undo of this.#atEnd.toReversed()) undo();
  }

  async #carryOut(command: Command, parsed: ParsedFlags<FlagTable>): Promise<number> {
    const context = this.#context();
    heedFlags(command.flags, parsed, context);
    checkArguments(command, parsed.args, this.#host.program);
    const overdue = this.#listen(command.endless === true);
    try {
      const running = command.run(context, parsed.args, parsed.flags, parsed.given);
      const code = await Promise.race([running, overdue]);
      this.#sink.commit();
      return code;
    } catch (error) {
      // what a command throws because it was told to end is not the news
      throw this.#controller.signal.aborted ? reasonOf(this.#controller.signal, command, parsed.args) : error;
    }
  }

  /** Turns signals and the timeout into `signal`. @returns what rejects if the command does not end in time */
  #listen(endless: boolean): Promise<never> {
    const controller = this.#controller;
    const { promise, reject } = Promise.withResolvers<never>();
    const end = (reason: CliError): void => {
      if (controller.signal.aborted) return reject(reason);
      controller.abort(reason);
      const grace = setTimeout(() => reject(reason), endless ? GRACE.service : GRACE.command);
      this.#atEnd.push(() => clearTimeout(grace));
    };
    this.#atEnd.push(
      this.#host.onSignal((name) => {
        end(name === 'SIGINT' ? new CliError('interrupted', 'interrupted') : new CliError('terminated', 'terminated'));
      }),
    );
    const limit = this.#globals.timeout;
    if (!endless && limit > 0) {
      const late = `did not finish within ${formatDuration(limit)} (--timeout)`;
      const timer = setTimeout(() => end(new CliError('timeout', late)), Math.min(limit, LONGEST_TIMER));
      this.#atEnd.push(() => clearTimeout(timer));
    }
    promise.catch(() => undefined);
    return promise;
  }

  async #nothing(rest: readonly string[]): Promise<number> {
    parseFlags(rest, GLOBAL_FLAGS);
    return await this.#help(undefined);
  }

  async #help(name: string | undefined): Promise<number> {
    const { commandHelp, groupHelp, programHelp } = await import('./help.ts');
    const program = this.#host.program;
    if (name === undefined) this.#host.writeOut(programHelp(program));
    else if (Object.hasOwn(GROUPS, name)) this.#host.writeOut(groupHelp(program, name));
    else this.#host.writeOut(commandHelp(program, (await this.#entry(name).load()).command));
    return EXIT.ok;
  }

  #entry(name: string): CommandEntry {
    const found = this.#commands[name];
    if (found === undefined) throw new CliError('unknown-command', `unknown command "${name}"`);
    return found;
  }

  #context(): CommandContext {
    const stdout = (text: string): void => this.#sink.write(text);
    return createContext(this.#host, this.#globals, { signal: this.#controller.signal, stdout });
  }
}

/** Standard output, remembering whether it was used. */
function countingSink(host: Host): Sink {
  const sink = {
    used: false,
    write(text: string): void {
      sink.used = true;
      host.writeOut(text);
    },
    commit: () => undefined,
    discard: () => undefined,
  };
  return sink;
}

function defaultGlobals(): Globals {
  return parseFlags([], GLOBAL_FLAGS).flags;
}

/** Says what the given flags mean for the run: deprecated, dropping a check, or not to be had. */
function heedFlags(table: FlagTable, parsed: ParsedFlags<FlagTable>, context: CommandContext): void {
  for (const [name, spec] of Object.entries(table)) {
    if (!parsed.given.has(name)) continue;
    if (spec.deprecated !== undefined) context.stderr(`Flag --${name} has been deprecated, ${spec.deprecated}\n`);
    if (isDefault(parsed.flags[name], defaultOf(spec))) continue;
    if (spec.refused !== undefined) throw new CliError('flag-refused', `--${name}: ${spec.refused}`);
    if (spec.weakens !== undefined) context.warn(spec.weakens);
  }
}

/** An empty string or list says as little as none: scripts pass `--flag "$UNSET"`. */
function isDefault(value: unknown, standard: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => item === '');
  return value === standard || (value === '' && standard === undefined);
}

/** Why a command was told to end; where the time was up, with what it was that took so long. */
function reasonOf(signal: AbortSignal, command: Command, args: readonly string[]): unknown {
  const reason: unknown = signal.reason;
  if (!(reason instanceof CliError) || reason.code !== 'timeout') return reason;
  const words = [command.name, ...args].join(' ');
  const what = words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}…` : words;
  return new CliError('timeout', `${what}: ${reason.message}`);
}

function checkArguments(command: Command, args: readonly string[], program: string): void {
  const { min, max, name } = command.arguments;
  const hint = `usage: ${program} ${command.name} ${command.usage}`;
  if (args.length < min) {
    throw new CliError('usage', `requires at least ${min} arg(s), only received ${args.length}: ${name} is missing`, {
      hint,
    });
  }
  if (max !== undefined && args.length > max) {
    const extra = args[max] as string;
    const shown = extra.length > 80 ? `${extra.slice(0, 80)}…` : extra;
    throw new CliError('usage', `accepts at most ${max} arg(s), received ${args.length}: '${shown}' is too many`, {
      hint,
    });
  }
}
