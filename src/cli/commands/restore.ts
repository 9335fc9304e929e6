// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla restore`: a data directory out of a backup, if that cannot fork the log. */
export const command: Command = defineCommand({
  name: 'restore',
  summary: 'Make a data directory out of a backup, without ever forking the log',
  description:
    'A log that goes on from an old copy would give out the same places twice, and every witness would see it lie. So a copy of the newest checkpoint is demanded ' +
    '(bulla up --checkpoint-copy keeps one), and a backup that is older than it is refused. Without it --new-shard ends the restored log where it stands and begins another, with a new key.',
  usage: '[flags] --from FOLDER --data DIR (--checkpoint PATH | --new-shard)',
  arguments: { min: 0, max: 0, name: 'nothing' },
  flags: {
    ...DATA_FLAG,
    from: { kind: 'string', default: '', placeholder: 'FOLDER', help: 'what bulla backup wrote' },
    checkpoint: {
      kind: 'string',
      default: '',
      placeholder: 'PATH',
      help: 'the newest checkpoints that anybody has: the folder of --checkpoint-copy, or those of a witness',
    },
    'offline-keys': {
      kind: 'string',
      default: '',
      placeholder: 'DIR',
      help: 'where you brought the keys that are kept offline (--offline-root), for --new-shard',
    },
    'new-shard': { kind: 'boolean', help: 'begin a new shard of the log, because there is no such checkpoint' },
  },
  examples: ['bulla restore --from ./backup-2026-11-22 --data ./stack --checkpoint ./checkpoints'],
  async run(context, _args, flags) {
    const data = dataDirectory(context, flags, 'restore');
    if (flags.from === '') throw new CliError('usage', '--from is required: where is the backup?');
    if ((flags.checkpoint === '') === !flags['new-shard']) {
      throw new CliError('usage', 'either --checkpoint PATH or --new-shard: what says that the log is not forked?');
    }
    const password = context.env['BULLA_PASSWORD'];
    const { restoreStack } = await import('../../up/index.ts');
    const restored = await restoreStack({
      from: resolve(context.cwd, flags.from),
      data,
      ...(flags.checkpoint === '' ? {} : { checkpoints: resolve(context.cwd, flags.checkpoint) }),
      ...(password === undefined || password === '' ? {} : { password }),
      ...(flags['offline-keys'] === '' ? {} : { offlineKeys: resolve(context.cwd, flags['offline-keys']) }),
      now: context.now,
      onProgress: (line) => context.stderr(`${line}\n`),
    });
    if (context.json) writeJson(context, { ...restored, warnings: context.warnings });
    else context.stderr(`restored ${data}; start it with ${context.program} up --data ${data}\n`);
    return EXIT.ok;
  },
});
