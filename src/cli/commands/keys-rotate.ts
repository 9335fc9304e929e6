// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { dataDirectory, DATA_FLAG } from '../flags/data-directory.ts';
import { writeJson } from '../output/json-document.ts';

const ROLES = ['ca', 'ctlog', 'log', 'tsa', 'root'] as const;

/** `bulla keys rotate`: a new key for a service that goes on serving. */
export const command: Command = defineCommand({
  name: 'keys rotate',
  summary: 'Give a running stack a new key, and tell its clients',
  description:
    'Makes the new key, publishes it in the trusted root, the signing config and the TUF repository in one step, and then signs with it. What was sealed before ' +
    'stays trusted: old keys are kept in the trusted root with the time at which they ended. ' +
    'ca: certificate authority; ctlog: certificate log; log: transparency log (a new shard); tsa: timestamps; root: the TUF root.',
  usage: '[flags] --data DIR ca|ctlog|log|tsa|root',
  arguments: { min: 1, max: 1, name: 'role', words: ROLES },
  flags: {
    ...DATA_FLAG,
    'offline-keys': {
      kind: 'string',
      default: '',
      placeholder: 'DIR',
      help: 'where you brought the keys that are kept offline (--offline-root)',
    },
    compromised: {
      kind: 'boolean',
      help: 'others know the old key: clients stop to trust what it signs from now on, instead of after a day',
    },
  },
  examples: ['bulla keys rotate --data ./stack log'],
  async run(context, [role = ''], flags) {
    if (!(ROLES as readonly string[]).includes(role)) {
      throw new CliError('usage', `'${role.slice(0, 40)}' is no role; expected one of ${ROLES.join(', ')}`);
    }
    const { 'offline-keys': offlineKeys, compromised } = flags;
    const asked = {
      role,
      compromised,
      ...(offlineKeys === '' ? {} : { offlineKeys: resolve(context.cwd, offlineKeys) }),
    };
    const { instruct } = await import('../../up/index.ts');
    const done = await instruct(dataDirectory(context, flags, 'keys rotate'), 'rotate', asked, context.signal);
    if (context.json) writeJson(context, { ...done, warnings: context.warnings });
    else
      context.stderr(
        `${role}: the new key signs, and is published; clients learn of it when they next update their trust root\n`,
      );
    return EXIT.ok;
  },
});
