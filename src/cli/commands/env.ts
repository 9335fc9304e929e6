// SPDX-License-Identifier: Apache-2.0
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { VARIABLES } from '../flags/variables.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

const HIDDEN = '******';

/** `bulla env`: which variables are read, and which are set. */
export const command: Command = defineCommand({
  name: 'env',
  summary: 'List the environment variables that are read',
  description:
    'Prints each variable that is read, with its value where it is set. Passwords, tokens and what may hold one are never shown.',
  usage: '[flags]',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    'show-descriptions': { kind: 'boolean', default: true, help: 'say what each is for' },
    'show-sensitive-values': {
      kind: 'boolean',
      hidden: true,
      help: 'show secrets too',
      refused: 'secrets are not shown: what is printed ends in logs',
    },
  },
  examples: ['bulla env', 'bulla env --json'],
  async run(context, _args, flags) {
    const variables = VARIABLES.map(({ name, about, secret = false }) => {
      const value = context.env[name] ?? (name.endsWith('_PROXY') ? context.env[name.toLowerCase()] : undefined);
      const shown = value === undefined ? null : secret ? HIDDEN : value;
      return { name, set: value !== undefined, value: shown, secret, about };
    });
    if (context.json) writeJson(context, { variables, warnings: context.warnings });
    else
      for (const { name, value, about } of variables) {
        if (flags['show-descriptions']) context.stdout(`# ${name}: ${about}\n`);
        context.stdout(`${name}=${printable(value ?? '')}\n`);
      }
    return EXIT.ok;
  },
});
