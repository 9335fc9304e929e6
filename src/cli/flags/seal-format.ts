// SPDX-License-Identifier: Apache-2.0
import type { SealFormat } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';

/** In which of cosign's formats a seal is written. */
export const SEAL_FORMAT_FLAGS = {
  format: {
    kind: 'string',
    default: '',
    choices: ['', 'bundle', 'legacy', 'both'],
    placeholder: 'bundle|legacy|both',
    help: 'bundle (what cosign 3 reads first), legacy (.sig or .att tag, what cosign 2 reads) or both; bundle unless told',
  },
  'new-bundle-format': {
    kind: 'boolean',
    default: true,
    help: 'false is --format legacy',
    hidden: true,
    deprecated: 'please use --format',
  },
} as const;

/** The formats that flags ask for. */
export function formatsOf(
  flags: FlagValues<typeof SEAL_FORMAT_FLAGS>,
  given: ReadonlySet<string>,
): readonly SealFormat[] {
  if (flags.format === 'both') return ['bundle', 'legacy'];
  if (flags.format === 'legacy' || flags.format === 'bundle') return [flags.format];
  return given.has('new-bundle-format') && !flags['new-bundle-format'] ? ['legacy'] : ['bundle'];
}

/** `SOURCE_DATE_EPOCH` makes what is written reproducible. @see https://reproducible-builds.org/specs/source-date-epoch/ */
export function signingTime(context: Pick<CommandContext, 'env' | 'now'>): Date {
  const epoch = context.env['SOURCE_DATE_EPOCH'];
  if (epoch === undefined || epoch === '') return context.now();
  if (!/^\d{1,11}$/.test(epoch))
    throw new CliError('usage', `SOURCE_DATE_EPOCH is '${epoch}', not a number of seconds`);
  return new Date(Number(epoch) * 1000);
}

/** Whether docker's media types are to be written in the legacy format. */
export function wantsDockerMediaTypes({ env }: Pick<CommandContext, 'env'>): boolean {
  const value = env['COSIGN_DOCKER_MEDIA_TYPES'];
  return value === '1' || value?.toLowerCase() === 'true';
}
