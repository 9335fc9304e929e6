// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';

/**
 * The time that stands in what is made, in seconds since 1970; `undefined` where the environment names none.
 *
 * @throws CliError `usage`
 * @see https://reproducible-builds.org/docs/source-date-epoch/
 */
export function sourceDateEpoch(context: Pick<CommandContext, 'env'>): number | undefined {
  const epoch = context.env['SOURCE_DATE_EPOCH'] ?? '';
  if (!/^\d{0,11}$/.test(epoch))
    throw new CliError('usage', `SOURCE_DATE_EPOCH is '${epoch}', not a number of seconds`);
  return epoch === '' ? undefined : Number(epoch);
}
