// SPDX-License-Identifier: Apache-2.0
import type { CommandContext } from './context.ts';

/** What every flag has. */
interface FlagCommon {
  /** one line of the manual, without the default */
  readonly help: string;
  /** one letter: `y` makes `-y` */
  readonly short?: string;
  /** names the value in the manual, for example `FILE` */
  readonly placeholder?: string;
  /** accepted, but not in the manual */
  readonly hidden?: boolean;
  /** what to use instead; giving the flag prints `Flag --x has been deprecated, …` */
  readonly deprecated?: string;
  /** which check is dropped; setting the flag prints it as a warning and puts it on `context.warnings` */
  readonly weakens?: string;
  /** why this version refuses the flag; setting it to anything but its default is a usage error that says so */
  readonly refused?: string;
}

/** `--flag VALUE` */
export interface StringFlag extends FlagCommon {
  readonly kind: 'string';
  readonly default?: string;
  /** every other value is refused, naming these; also what completion offers */
  readonly choices?: readonly string[];
}

/** `--flag A --flag B`; with `split` each value is also split at commas as pflag's StringSlice does (a CSV record). */
export interface StringsFlag extends FlagCommon {
  readonly kind: 'strings';
  readonly split: boolean;
}

/** `--flag`, `--flag=true|false|1|0|t|f`; never takes the next argument. */
export interface BooleanFlag extends FlagCommon {
  readonly kind: 'boolean';
  /** false unless told */
  readonly default?: boolean;
}

/** `--flag 10` */
export interface IntegerFlag extends FlagCommon {
  readonly kind: 'integer';
  readonly default?: number;
  /** inclusive; 0 unless told */
  readonly min?: number;
  /** inclusive; 2^31-1 unless told */
  readonly max?: number;
}

/** `--flag 3m0s`, as Go writes durations; the value is in milliseconds. */
export interface DurationFlag extends FlagCommon {
  readonly kind: 'duration';
  /** milliseconds */
  readonly default?: number;
}

/** One flag of a command. @see https://pkg.go.dev/github.com/spf13/pflag */
export type FlagSpec = StringFlag | StringsFlag | BooleanFlag | IntegerFlag | DurationFlag;

/** A command's flags, by name without the dashes. */
export type FlagTable = Readonly<Record<string, FlagSpec>>;

/** What a flag's value is: `undefined` only where there is no default and the flag was not given. */
export type FlagValue<S extends FlagSpec> = S extends StringsFlag
  ? readonly string[]
  : S extends BooleanFlag
    ? boolean
    : S extends StringFlag
      ? S extends { readonly default: string }
        ? string
        : string | undefined
      : S extends { readonly default: number | string }
        ? number
        : number | undefined;

/** The values of all flags of a table, by name as typed: `flags['allow-http-registry']`. */
export type FlagValues<F extends FlagTable> = { readonly [Name in keyof F]: FlagValue<F[Name]> };

/** A command: its manual and what it does. */
export interface CommandSpec<F extends FlagTable> {
  /** as typed; `registry serve` for a nested one */
  readonly name: string;
  /** one line, as in the list of commands */
  readonly summary: string;
  /** paragraphs of the manual below the summary, one a line */
  readonly description?: string;
  /** what follows the name, for example `[flags] IMAGE...` */
  readonly usage: string;
  /** how many arguments it takes, and what one is called in an error; `words` are those that completion offers */
  readonly arguments: {
    readonly min: number;
    readonly max?: number;
    readonly name: string;
    readonly words?: readonly string[];
  };
  readonly flags: F;
  readonly examples?: readonly string[];
  /** true for a gate: 1 says that something was refused and nothing else; wrong usage is 64, and every other failure 2 */
  readonly gate?: boolean;
  /** true for a service: it serves until a signal ends it, and `--timeout` does not apply */
  readonly endless?: boolean;
  /**
   * @param args the arguments that are not flags
   * @param flags all values, defaults filled in
   * @param given the flags that were on the command line
   * @returns the exit code, one of `EXIT`
   */
  run(
    context: CommandContext,
    args: readonly string[],
    flags: FlagValues<F>,
    given: ReadonlySet<keyof F>,
  ): Promise<number>;
}

/** A command whose flags are known to itself only: what command files export. */
export type Command = CommandSpec<FlagTable>;

/**
 * Gives `run` the types of the flags above it. A command file exports the result as `command`.
 *
 * @example
 * export const command: Command = defineCommand({
 *   name: 'triangulate', summary: 'Print where an image\'s seals lie', usage: '[flags] IMAGE',
 *   arguments: { min: 1, max: 1, name: 'image' },
 *   flags: { type: { kind: 'string', default: 'signature', help: 'what to locate' } },
 *   async run(context, [image], flags) { … return EXIT.ok; },
 * });
 */
export function defineCommand<const F extends FlagTable>(spec: CommandSpec<F>): Command {
  return spec;
}
