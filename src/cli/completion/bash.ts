// SPDX-License-Identifier: Apache-2.0
import type { CompletedCommand, CompletionModel } from './model.ts';

/**
 * A bash completion script that needs nothing but bash.
 *
 * @see https://www.gnu.org/software/bash/manual/html_node/Programmable-Completion.html
 */
export function bashCompletion(model: CompletionModel): string {
  const { program } = model;
  return `# bash completion for ${program}; load it with: source <(${program} completion bash)

_${program}_flags() {
  case "$1" in
${model.commands.map((command) => `    ${quote(command.name)}) echo ${quote(spellings(command).join(' '))} ;;`).join('\n')}
  esac
}

# the words that a flag may be followed by; 'files' for a file, 'text' for anything else, nothing for a boolean
_${program}_values() {
  case "$1 $2" in
${model.commands.flatMap(values).join('\n')}
  esac
}

_${program}_words() {
  case "$1" in
    '') echo ${quote(topWords(model).join(' '))} ;;
${model.groups.map(({ name }) => `    ${quote(name)}) echo ${quote(nestedWords(model, name).join(' '))} ;;`).join('\n')}
${model.commands
  .filter(({ words }) => words.length > 0)
  .map(({ name, words }) => `    ${quote(name)}) echo ${quote(words.join(' '))} ;;`)
  .join('\n')}
  esac
}

_${program}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev= command= word kind at
  COMPREPLY=()
  # bash hands --flag=value over as three words
  local last=$((COMP_CWORD - 1))
  if [[ $cur == '=' ]]; then
    cur=
  elif [[ \${COMP_WORDS[last]} == '=' ]]; then
    last=$((last - 1))
  fi
  prev=\${COMP_WORDS[last]}
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    case "$word" in
      --output-file | --timeout | -t) at=$((at + 1)); continue ;;
      -*) continue ;;
    esac
    if [[ -z $command ]]; then
      command=$word
      case " ${model.groups.map(({ name }) => name).join(' ')} " in *" $word "*) continue ;; esac
      break
    fi
    command="$command $word"
    break
  done
  if [[ $prev == -* ]]; then
    kind=$(_${program}_values "$command" "$prev")
    case "$kind" in
      '') ;;
      files) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur")); return ;;
      text) return ;;
      *) COMPREPLY=($(compgen -W "$kind" -- "$cur")); return ;;
    esac
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_${program}_flags "\${command:-help}")" -- "$cur"))
    return
  fi
  word=$(_${program}_words "$command")
  if [[ -n $word ]]; then
    COMPREPLY=($(compgen -W "$word" -- "$cur"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$cur"))
  fi
}

complete -F _${program} ${program}
`;
}

function spellings(command: CompletedCommand): string[] {
  return command.flags.flatMap(({ name, short }) => (short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]));
}

function values(command: CompletedCommand): string[] {
  return command.flags
    .filter(({ value }) => value !== 'none')
    .map(({ name, short, value }) => {
      const long = quote(`${command.name} --${name}`);
      const pattern = short === undefined ? long : `${long} | ${quote(`${command.name} -${short}`)}`;
      return `    ${pattern}) echo ${quote(value === 'file' ? 'files' : value === 'text' ? 'text' : (value as readonly string[]).join(' '))} ;;`;
    });
}

function topWords(model: CompletionModel): string[] {
  return [...new Set(model.commands.map(({ name }) => name.split(' ')[0] as string))];
}

function nestedWords(model: CompletionModel, group: string): string[] {
  return model.commands
    .filter(({ name }) => name.startsWith(`${group} `))
    .map(({ name }) => name.slice(group.length + 1));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
