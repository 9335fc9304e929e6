// SPDX-License-Identifier: Apache-2.0
import { formatDuration } from './arguments/duration.ts';
import { COMMANDS, GROUPS } from './command-table.ts';
import type { Command, FlagSpec, FlagTable } from './command.ts';
import { GLOBAL_FLAGS } from './flags/global.ts';

const WIDTH = 100;
const FLAG_COLUMN = 32;

/** The manual of the program: its commands. */
export function programHelp(program: string): string {
  return page(
    'Seals container images, keeps the seal beside the image, and verifies who sealed a digest.',
    section('Usage', [`${program} COMMAND [flags] [ARGUMENT...]`]),
    section('Commands', listed(Object.keys(COMMANDS), '')),
    section('Flags of every command', flagLines(GLOBAL_FLAGS)),
    `'${program} help COMMAND' tells more about one.`,
  );
}

/** The manual of a group of commands. */
export function groupHelp(program: string, group: string): string {
  const names = Object.keys(COMMANDS).filter((name) => name.startsWith(`${group} `));
  return page(
    `${GROUPS[group] ?? group}.`,
    section('Usage', [`${program} ${group} COMMAND [flags] [ARGUMENT...]`]),
    section('Commands', listed(names, '')),
    `'${program} help ${group} COMMAND' tells more about one.`,
  );
}

/** The manual of one command: what it does, its flags with their defaults, examples. */
export function commandHelp(program: string, command: Command): string {
  const examples = (command.examples ?? []).map((line) => line.replace(/^bulla /, `${program} `));
  return page(
    `${command.summary}.`,
    (command.description ?? '')
      .split('\n')
      .flatMap((paragraph) => wrap(paragraph, WIDTH))
      .join('\n'),
    section('Usage', [`${program} ${command.name} ${command.usage}`.trimEnd()]),
    section('Examples', examples),
    section('Flags', flagLines(command.flags)),
    section('Flags of every command', flagLines(GLOBAL_FLAGS)),
  );
}

function page(...parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}:\n${lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n')}`;
}

function listed(names: readonly string[], prefix: string): string[] {
  const width = Math.max(...names.map((name) => name.length)) + 3;
  return names.map((name) => `${prefix}${name.padEnd(width)}${COMMANDS[name]?.summary ?? ''}`);
}

function flagLines(table: FlagTable): string[] {
  return Object.entries(table)
    .filter(([, spec]) => spec.hidden !== true)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, spec]) => flagLine(name, spec));
}

function flagLine(name: string, spec: FlagSpec): string[] {
  const value = placeholder(spec);
  const label = `${spec.short === undefined ? '   ' : `-${spec.short},`} --${name}${value === '' ? '' : ` ${value}`}`;
  const text = wrap(flagText(spec), WIDTH - FLAG_COLUMN - 2);
  const [first, ...rest] = label.length < FLAG_COLUMN - 1 ? text : ['', ...text];
  const indent = ' '.repeat(FLAG_COLUMN);
  return [`${label.padEnd(FLAG_COLUMN)}${first ?? ''}`.trimEnd(), ...rest.map((line) => `${indent}${line}`)];
}

function placeholder(spec: FlagSpec): string {
  if (spec.kind === 'boolean') return '';
  if (spec.placeholder !== undefined) return spec.placeholder;
  return { string: 'TEXT', strings: 'TEXT', integer: 'NUMBER', duration: 'DURATION' }[spec.kind];
}

function flagText(spec: FlagSpec): string {
  const notes: string[] = [];
  if (spec.kind === 'string' && spec.choices !== undefined)
    notes.push(`one of ${spec.choices.filter((choice) => choice !== '').join(', ')}`);
  if (spec.kind === 'strings') notes.push('may be given several times');
  if (spec.kind !== 'strings' && spec.default !== undefined && spec.default !== '' && spec.default !== false) {
    notes.push(`default ${spec.kind === 'duration' ? formatDuration(spec.default) : spec.default}`);
  }
  if (spec.deprecated !== undefined) notes.push('deprecated');
  return notes.length === 0 ? spec.help : `${spec.help} (${notes.join('; ')})`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
