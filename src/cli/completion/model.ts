// SPDX-License-Identifier: Apache-2.0
import { COMMANDS, GROUPS } from '../command-table.ts';
import type { FlagSpec, FlagTable } from '../command.ts';
import { GLOBAL_FLAGS } from '../flags/global.ts';

/** All that a shell completes, told once for the three of them. */
export interface CompletionModel {
  readonly program: string;
  readonly groups: readonly { readonly name: string; readonly summary: string }[];
  readonly commands: readonly CompletedCommand[];
}

/** A command and what may follow it. */
export interface CompletedCommand {
  /** `registry serve` for a nested one */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletedFlag[];
  /** words that may be its first argument */
  readonly words: readonly string[];
}

/** A flag; hidden ones are not among them. */
export interface CompletedFlag {
  readonly name: string;
  readonly short?: string;
  readonly help: string;
  /** what its value is: none (a boolean), one of some words, a file, or unknown */
  readonly value: 'none' | 'file' | 'text' | readonly string[];
  /** may be given several times */
  readonly repeated: boolean;
}

const FILES: ReadonlySet<string> = new Set(['FILE', 'KEY', 'DIR', 'PREFIX']);

/** Loads every command and takes from it what can be completed. */
export async function completionModel(program: string): Promise<CompletionModel> {
  const commands: CompletedCommand[] = [];
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const { command } = await load();
    commands.push({
      name,
      summary,
      flags: flagsOf({ ...command.flags, ...GLOBAL_FLAGS }),
      words: command.arguments.words ?? [],
    });
  }
  commands.push({
    name: 'help',
    summary: 'Tell more about a command',
    flags: flagsOf(GLOBAL_FLAGS),
    words: firstWords(),
  });
  const groups = Object.entries(GROUPS).map(([name, summary]) => ({ name, summary }));
  return { program, groups, commands };
}

function flagsOf(table: FlagTable): CompletedFlag[] {
  const flags = Object.entries(table)
    .filter(([, spec]) => spec.hidden !== true)
    .map(([name, spec]) => flagOf(name, spec));
  return [...flags, { name: 'help', short: 'h', help: 'show the manual', value: 'none', repeated: false }];
}

function flagOf(name: string, spec: FlagSpec): CompletedFlag {
  const flag = { name, help: spec.help, value: valueOf(spec), repeated: spec.kind === 'strings' };
  return spec.short === undefined ? flag : { ...flag, short: spec.short };
}

function valueOf(spec: FlagSpec): CompletedFlag['value'] {
  if (spec.kind === 'boolean') return 'none';
  if (spec.kind === 'string' && spec.choices !== undefined) return spec.choices.filter((choice) => choice !== '');
  return FILES.has(spec.placeholder ?? '') ? 'file' : 'text';
}

function firstWords(): string[] {
  return [...new Set(Object.keys(COMMANDS).map((name) => name.split(' ')[0] as string))];
}
