// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletedFlag, CompletionModel } from './model.ts';

/**
 * A fish completion script.
 *
 * @see https://fishshell.com/docs/current/completions.html
 */
export function fishCompletion(model: CompletionModel): string {
  const { program } = model;
  const plain = model.commands.filter(({ name }) => !name.includes(' '));
  return [
    `# fish completion for ${program}; load it with: ${program} completion fish | source`,
    ...[...plain, ...model.groups].map(({ name, summary }) =>
      line(program, '__fish_use_subcommand', `-f -a ${quote(name)} -d ${quote(summary)}`),
    ),
    ...model.commands.filter(({ name }) => name.includes(' ')).map((command) => nested(program, command)),
    ...model.commands.flatMap((command) => commandLines(program, command)),
    '',
  ].join('\n');
}

function nested(program: string, { name, summary }: CompletedCommand): string {
  const [group, word] = name.split(' ') as [string, string];
  const condition = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${word}`;
  return line(program, condition, `-f -a ${quote(word)} -d ${quote(summary)}`);
}

function commandLines(program: string, command: CompletedCommand): string[] {
  const condition = command.name
    .split(' ')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join('; and ');
  const words = command.words.length === 0 ? [] : [line(program, condition, `-f -a ${quote(command.words.join(' '))}`)];
  return [...words, ...command.flags.map((flag) => line(program, condition, flagArguments(flag)))];
}

function flagArguments({ name, short, help, value }: CompletedFlag): string {
  const names = short === undefined ? `-l ${name}` : `-l ${name} -s ${short}`;
  const about = `-d ${quote(help)}`;
  if (value === 'none') return `${names} ${about}`;
  if (value === 'file') return `${names} -r -F ${about}`;
  return value === 'text' ? `${names} -x ${about}` : `${names} -x -a ${quote(value.join(' '))} ${about}`;
}

function line(program: string, condition: string, rest: string): string {
  return `complete -c ${program} -n ${quote(condition)} ${rest}`;
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;
}
