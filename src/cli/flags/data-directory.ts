// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';

/** Which stack is meant: it is named by the folder that it lives in. */
export const DATA_FLAG = {
  data: { kind: 'string', default: '', placeholder: 'DIR', help: "the stack's data directory" },
} as const;

/** The data directory, absolute. @param name of the command. @throws CliError `usage` where none was given */
export function dataDirectory(
  { cwd, program }: Pick<CommandContext, 'cwd' | 'program'>,
  { data }: FlagValues<typeof DATA_FLAG>,
  name: string,
): string {
  if (data !== '') return resolve(cwd, data);
  throw new CliError('usage', '--data is required: where is what the stack keeps?', {
    hint: `for example: ${program} ${name} --data ./stack`,
  });
}
