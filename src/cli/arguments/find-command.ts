// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { GROUPS } from '../command-table.ts';
import type { FlagSpec } from '../command.ts';
import { GLOBAL_FLAGS } from '../flags/global.ts';
import { nearest } from './nearest.ts';

/** What a command line asks for. */
export type Asked =
  | { readonly kind: 'command'; readonly name: string; readonly rest: readonly string[] }
  | { readonly kind: 'help'; readonly name?: string }
  /** flags and nothing else */
  | { readonly kind: 'nothing'; readonly rest: readonly string[] };

/** Names of commands are all that is looked at. */
type Commands = Readonly<Record<string, unknown>>;

/**
 * Finds the command in a command line: its first word that is neither a flag nor a flag's value. As in cosign, a flag may stand before
 * it, and one that is not known here is taken to have a value, unless that is a command.
 *
 * @throws CliError `unknown-command`, naming the nearest
 */
export function findCommand(argv: readonly string[], commands: Commands, program: string): Asked {
  const words = commandWords(argv, commands);
  const [first, second] = words;
  if (first === undefined) return { kind: 'nothing', rest: argv };
  if (first.text === 'help')
    return helpOn(
      words.slice(1).map((word) => word.text),
      commands,
      program,
    );
  const nested = second === undefined ? undefined : `${first.text} ${second.text}`;
  // a command may have others beneath it
  if (Object.hasOwn(commands, first.text) && (nested === undefined || !Object.hasOwn(commands, nested)))
    return { kind: 'command', name: first.text, rest: without(argv, [first.at]) };
  if (nested === undefined || !Object.hasOwn(commands, nested)) {
    if (!Object.hasOwn(GROUPS, first.text)) throw unknown(first.text, commands, program, '');
    if (second === undefined) return { kind: 'help', name: first.text };
    throw unknown(second.text, commands, program, first.text);
  }
  return { kind: 'command', name: nested, rest: without(argv, [first.at, second?.at ?? first.at]) };
}

interface Word {
  readonly text: string;
  readonly at: number;
}

/** The words that are neither flags nor, as far as can be known here, their values. */
function commandWords(argv: readonly string[], commands: Commands): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < argv.length; at++) {
    const text = argv[at] as string;
    if (text === '--') break;
    if (!text.startsWith('-') || text === '-') words.push({ text, at });
    else if (takesNext(text) && !isCommandWord(argv[at + 1], commands)) at++;
  }
  return words;
}

function takesNext(flag: string): boolean {
  if (flag.includes('=')) return false;
  const globals: Readonly<Record<string, FlagSpec>> = GLOBAL_FLAGS;
  if (flag.startsWith('--')) {
    const name = flag.slice(2);
    if (name === 'help' || name === 'version') return false;
    return !Object.hasOwn(globals, name) || globals[name]?.kind !== 'boolean';
  }
  // of `-dt 5m` the last letter decides; `-h` and unknown letters of more than one are taken to be booleans
  const letter = flag.at(-1);
  const spec = Object.values(globals).find((candidate) => candidate.short === letter);
  if (spec !== undefined) return spec.kind !== 'boolean';
  return flag.length === 2 && letter !== 'h';
}

function isCommandWord(word: string | undefined, commands: Commands): boolean {
  return word !== undefined && (word === 'help' || Object.hasOwn(commands, word) || Object.hasOwn(GROUPS, word));
}

function helpOn(words: readonly string[], commands: Commands, program: string): Asked {
  const [first, second] = words;
  if (first === undefined) return { kind: 'help' };
  if (second !== undefined && Object.hasOwn(commands, `${first} ${second}`)) {
    return { kind: 'help', name: `${first} ${second}` };
  }
  if (Object.hasOwn(commands, first) || (second === undefined && Object.hasOwn(GROUPS, first))) {
    return { kind: 'help', name: first };
  }
  throw Object.hasOwn(GROUPS, first)
    ? unknown(second ?? '', commands, program, first)
    : unknown(first, commands, program, '');
}

function unknown(word: string, commands: Commands, program: string, group: string): CliError {
  const prefix = group === '' ? '' : `${group} `;
  const candidates = Object.keys(commands)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length).split(' ')[0] as string);
  const meant = nearest(word, new Set([...candidates, 'help']));
  const guess = meant === undefined ? '' : ` (did you mean ${prefix}${meant}?)`;
  const shown = word.length > 80 ? `${word.slice(0, 80)}…` : word;
  const where = `${program} ${group}`.trimEnd();
  return new CliError('unknown-command', `unknown command "${shown}" for "${where}"${guess}`, {
    hint: `run '${`${program} help ${group}`.trimEnd()}' for the list`,
  });
}

function without(argv: readonly string[], positions: readonly number[]): readonly string[] {
  return argv.filter((_, at) => !positions.includes(at));
}
