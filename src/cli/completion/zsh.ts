// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletedFlag, CompletionModel } from './model.ts';

/**
 * A zsh completion script on `_arguments`.
 *
 * @see https://zsh.sourceforge.io/Doc/Release/Completion-System.html
 */
export function zshCompletion(model: CompletionModel): string {
  const { program } = model;
  return `#compdef ${program}
# zsh completion for ${program}; load it with: source <(${program} completion zsh)

${model.commands.map((command) => commandFunction(program, command)).join('\n\n')}

${model.groups.map(({ name }) => groupFunction(model, name)).join('\n\n')}

_${program}() {
  local curcontext="$curcontext" state line
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=(
${topEntries(model)
  .map((entry) => `        ${entry}`)
  .join('\n')}
      )
      _describe -t commands command commands
      ;;
    argument)
      local name=_${program}_\${line[1]//-/_}
      (( $+functions[$name] )) && $name || _files
      ;;
  esac
}

if [ "$funcstack[1]" = "_${program}" ]; then
  _${program} "$@"
else
  compdef _${program} ${program}
fi
`;
}

function commandFunction(program: string, command: CompletedCommand): string {
  const argument =
    command.words.length === 0 ? quote('*:argument:_files') : quote(`*:argument:(${command.words.join(' ')})`);
  const lines = [...command.flags.flatMap(flagSpecs), argument];
  return `_${program}_${identifier(command.name)}() {\n  _arguments -s -S \\\n    ${lines.join(' \\\n    ')}\n}`;
}

function groupFunction(model: CompletionModel, group: string): string {
  const nested = model.commands.filter(({ name }) => name.startsWith(`${group} `));
  const entries = nested.map(({ name, summary }) => quote(`${name.slice(group.length + 1)}:${summary}`));
  return `_${model.program}_${identifier(group)}() {
  local curcontext="$curcontext" state line
  _arguments -C '1:command:->command' '*::argument:->argument'
  case $state in
    command)
      local -a commands
      commands=(${entries.join(' ')})
      _describe -t commands command commands
      ;;
    argument)
      local name=_${model.program}_${identifier(group)}_\${line[1]//-/_}
      (( $+functions[$name] )) && $name || _files
      ;;
  esac
}`;
}

function flagSpecs(flag: CompletedFlag): string[] {
  const help = flag.help.replace(/[[\]\\]/g, (character) => `\\${character}`);
  const again = flag.repeated ? '*' : '';
  const value = valueSpec(flag.value);
  const long = flag.value === 'none' ? `--${flag.name}` : `--${flag.name}=`;
  const specs = [quote(`${again}${long}[${help}]${value}`)];
  if (flag.short !== undefined)
    specs.push(quote(`${again}-${flag.short}${flag.value === 'none' ? '' : '+'}[${help}]${value}`));
  return specs;
}

function valueSpec(value: CompletedFlag['value']): string {
  if (value === 'none') return '';
  if (value === 'file') return ':file:_files';
  return value === 'text' ? ':value: ' : `:value:(${value.join(' ')})`;
}

function topEntries(model: CompletionModel): string[] {
  const plain = model.commands.filter(({ name }) => !name.includes(' '));
  return [...plain, ...model.groups].map(({ name, summary }) => quote(`${name}:${summary}`));
}

function identifier(name: string): string {
  return name.replace(/[^a-z0-9]/g, '_');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
