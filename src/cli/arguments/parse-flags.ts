// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { BooleanFlag, FlagSpec, FlagTable, FlagValues, IntegerFlag, StringFlag } from '../command.ts';
import { splitCommaValues } from './comma-values.ts';
import { parseDuration } from './duration.ts';
import { nearest } from './nearest.ts';

/** A command line, taken apart. */
export interface ParsedFlags<F extends FlagTable> {
  /** the arguments that are not flags, in order */
  readonly args: readonly string[];
  /** every flag of the table, defaults filled in */
  readonly flags: FlagValues<F>;
  /** the flags that were on the command line */
  readonly given: ReadonlySet<keyof F & string>;
  /** `--help` or `-h` was there; then nothing else was checked */
  readonly help: boolean;
}

type Value = string | number | boolean | readonly string[] | undefined;

/**
 * Parses a command line as pflag does: `--flag value`, `--flag=value`, `-f value`, `-fvalue`, `-abc` for booleans, flags anywhere among
 * the arguments, `--` before arguments that look like flags. A boolean takes its value only after `=`.
 *
 * @throws CliError `unknown-flag` (naming the nearest), `flag-invalid`
 * @see https://pkg.go.dev/github.com/spf13/pflag#hdr-Command_line_flag_syntax
 */
export function parseFlags<F extends FlagTable>(argv: readonly string[], table: F): ParsedFlags<F> {
  const reader = new FlagReader(table);
  reader.read(argv);
  const values: Record<string, Value> = {};
  for (const [name, spec] of Object.entries(table)) values[name] = reader.values.get(name) ?? defaultOf(spec);
  return {
    args: reader.args,
    // each value was made by its spec: that is what FlagValues says
    flags: values as FlagValues<F>,
    given: reader.given,
    help: reader.help,
  };
}

/** The value of a flag that was not given. */
export function defaultOf(spec: FlagSpec): Value {
  if (spec.kind === 'strings') return [];
  if (spec.kind === 'boolean') return spec.default ?? false;
  return spec.default;
}

class FlagReader {
  readonly values: Map<string, Value> = new Map();
  readonly given: Set<string> = new Set();
  readonly args: string[] = [];
  help = false;
  readonly #table: FlagTable;

  constructor(table: FlagTable) {
    this.#table = table;
  }

  read(argv: readonly string[]): void {
    for (let at = 0; at < argv.length && !this.help; at++) {
      const word = argv[at] as string;
      if (word === '--') {
        this.args.push(...argv.slice(at + 1));
        return;
      }
      if (word.startsWith('--')) at += this.#long(word, argv[at + 1]);
      else if (word.startsWith('-') && word.length > 1) at += this.#shorts(word, argv[at + 1]);
      else this.args.push(word);
    }
  }

  /** @returns how many further words it took */
  #long(word: string, next: string | undefined): number {
    const equals = word.indexOf('=');
    const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
    if (name === '' || name.startsWith('-')) throw new CliError('flag-invalid', `bad flag syntax: ${shown(word)}`);
    const spec = own(this.#table, name);
    if (spec === undefined) {
      if (name === 'help') return this.#helped();
      throw this.#unknown(`unknown flag: --${shown(name)}`, name);
    }
    if (equals !== -1) return this.#set(name, spec, word.slice(equals + 1), `--${name}`);
    if (spec.kind === 'boolean') return this.#set(name, spec, 'true', `--${name}`);
    if (next === undefined) throw new CliError('flag-invalid', `flag needs an argument: --${name}`);
    this.#set(name, spec, next, `--${name}`);
    return 1;
  }

  /** @returns how many further words it took */
  #shorts(word: string, next: string | undefined): number {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] as string;
      const name = Object.keys(this.#table).find((key) => this.#table[key]?.short === letter);
      const spec = name === undefined ? undefined : this.#table[name];
      if (name === undefined || spec === undefined) {
        if (letter === 'h') return this.#helped();
        throw this.#unknown(
          `unknown shorthand flag: '${shown(letter)}' in ${shown(word)}`,
          word.replace(/^-|=.*$/gs, ''),
        );
      }
      const rest = word.slice(at + 1);
      const label = `-${letter}, --${name}`;
      if (rest.startsWith('=')) return this.#set(name, spec, rest.slice(1), label);
      if (spec.kind === 'boolean') this.#set(name, spec, 'true', label);
      else if (rest !== '') return this.#set(name, spec, rest, label);
      else if (next === undefined) {
        throw new CliError('flag-invalid', `flag needs an argument: '${letter}' in ${shown(word)} (${label})`);
      } else {
        this.#set(name, spec, next, label);
        return 1;
      }
    }
    return 0;
  }

  #helped(): 0 {
    this.help = true;
    return 0;
  }

  #set(name: string, spec: FlagSpec, text: string, label: string): 0 {
    this.given.add(name);
    if (spec.kind === 'strings') {
      const added = spec.split ? splitCommaValues(text) : [text];
      if (added === undefined) throw invalid(label, text, 'a list whose quotes close');
      this.values.set(name, [...((this.values.get(name) as readonly string[] | undefined) ?? []), ...added]);
    } else this.values.set(name, parseValue(spec, text, label));
    return 0;
  }

  #unknown(message: string, word: string): CliError {
    const names = Object.keys(this.#table).filter((name) => this.#table[name]?.hidden !== true);
    const meant = nearest(word, [...names, 'help']);
    return new CliError('unknown-flag', meant === undefined ? message : `${message} (did you mean --${meant}?)`);
  }
}

function parseValue(spec: Exclude<FlagSpec, { kind: 'strings' }>, text: string, label: string): Value {
  if (spec.kind === 'string') return parseString(spec, text, label);
  if (spec.kind === 'boolean') return parseBoolean(spec, text, label);
  if (spec.kind === 'integer') return parseInteger(spec, text, label);
  const duration = parseDuration(text);
  if (duration === undefined || duration < 0) throw invalid(label, text, 'a duration such as 30s or 3m0s');
  return duration;
}

function parseString(spec: StringFlag, text: string, label: string): string {
  if (spec.choices === undefined || spec.choices.includes(text)) return text;
  // an empty value may be taken and need not be named
  const choices = spec.choices.filter((choice) => choice !== '');
  const meant = nearest(text, choices);
  const guess = meant === undefined ? '' : ` (did you mean ${meant}?)`;
  throw invalid(label, text, `one of ${choices.join(', ')}${guess}`);
}

/** @see https://pkg.go.dev/strconv#ParseBool */
function parseBoolean(_spec: BooleanFlag, text: string, label: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw invalid(label, text, 'true or false');
}

/** Go's base prefixes, as pflag takes them. @see https://pkg.go.dev/strconv#ParseInt */
function parseInteger(spec: IntegerFlag, text: string, label: string): number {
  const min = spec.min ?? 0;
  const max = spec.max ?? 2_147_483_647;
  const value = /^[+-]?(?:0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|\d+)$/.test(text) ? signed(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw invalid(label, text, `a whole number from ${min} to ${max}`);
}

function signed(text: string): number {
  const magnitude = Number(text.replace(/^[+-]/, ''));
  return text.startsWith('-') ? -magnitude : magnitude;
}

function invalid(label: string, text: string, expected: string): CliError {
  return new CliError('flag-invalid', `invalid argument "${shown(text)}" for "${label}" flag: expected ${expected}`);
}

function own(table: FlagTable, name: string): FlagSpec | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
