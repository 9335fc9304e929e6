// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla backup`: a copy of a running stack. */
export const command: Command = defineCommand({
  name: 'backup',
  summary: 'Copy a running stack into a new folder',
  description:
    'Copies keys, logs, certificates, trust root and registry while the stack goes on serving; each part is as it was at one moment. The copy holds the private keys ' +
    '(encrypted where the stack has a password): guard it as you guard the stack. Restoring it never forks the log; see bulla restore.',
  usage: '[flags] --data DIR --to FOLDER',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    ...DATA_FLAG,
    to: { kind: 'string', default: '', placeholder: 'FOLDER', help: 'where the copy goes; it does not exist yet' },
  },
  examples: ['bulla backup --data ./stack --to ./backup-2026-11-22'],
  async run(context, _args, flags) {
    const data = dataDirectory(context, flags, 'backup');
    if (flags.to === '') throw new CliError('usage', '--to is required: where shall the copy go?');
    const { instruct } = await import('../../up/index.ts');
    context.stderr(`copying ${data}\n`);
    const done = await instruct(data, 'backup', { to: resolve(context.cwd, flags.to) }, context.signal);
    if (context.json) writeJson(context, { ...done, warnings: context.warnings });
    else context.stderr(`copied to ${resolve(context.cwd, flags.to)}\n`);
    return EXIT.ok;
  },
});
