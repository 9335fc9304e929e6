// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { completionModel } from '../completion/model.ts';
import { EXIT } from '../exit-code.ts';
import { writeJson } from '../output/json-document.ts';

const SHELLS: readonly string[] = ['bash', 'zsh', 'fish'];

/** `bulla completion`: a script that completes commands, flags and their choices, without calling the program again. */
export const command: Command = defineCommand({
  name: 'completion',
  summary: 'Print the completion script of a shell',
  usage: '[flags] bash|zsh|fish',
  arguments: { min: 1, max: 1, name: 'shell', words: SHELLS },
  flags: {},
  examples: [
    'source <(bulla completion bash)',
    'bulla completion zsh > "${fpath[1]}/_bulla"',
    'bulla completion fish > ~/.config/fish/completions/bulla.fish',
  ],
  async run(context, [shell]) {
    const model = await completionModel(context.program);
    let script: string;
    if (shell === 'bash') script = (await import('../completion/bash.ts')).bashCompletion(model);
    else if (shell === 'zsh') script = (await import('../completion/zsh.ts')).zshCompletion(model);
    else if (shell === 'fish') script = (await import('../completion/fish.ts')).fishCompletion(model);
    else
      throw new CliError('usage', `there is no completion for '${shell ?? ''}' (expected one of ${SHELLS.join(', ')})`);
    if (context.json) writeJson(context, { shell, script });
    else context.stdout(script);
    return EXIT.ok;
  },
});
