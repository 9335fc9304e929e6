// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { checkStoppedLogs } from '../stack/index.ts';
import { openDataDirectory } from '../store/index.ts';
import type { Json } from '../wire/index.ts';
import { instruct } from './instructions.ts';
import { readSettings, SETTINGS_FILE } from './recorded-settings.ts';
import { checkDocument } from './stack-instructions.ts';
import { UpError } from './up-error.ts';

/**
 * Derives every log of a stack anew from its entries: by the stack itself where one runs, and else here, under its lock. A stack that does not
 * start because a log contradicts itself is checked so, too.
 *
 * @returns `shards`, each with what was found
 * @throws UpError `stack-missing`, `instruction-denied`, `instruction-failed`; KeyRingError; StoreError
 */
export async function checkLogs(options: {
  readonly data: string;
  readonly password?: string | undefined;
  readonly now: () => Date;
  readonly signal?: AbortSignal;
}): Promise<Readonly<Record<string, Json>>> {
  const { data, now, signal } = options;
  try {
    return await instruct(data, 'fsck', {}, signal);
  } catch (error) {
    if (!(error instanceof UpError) || error.code !== 'not-running') throw error;
  }
  const settings = await readSettings(join(data, SETTINGS_FILE));
  if (settings === undefined) {
    throw new UpError('stack-missing', `no stack was ever started in ${data}: bulla up --data ${data} makes one`);
  }
  const password = options.password === undefined ? undefined : Buffer.from(options.password);
  const directory = await openDataDirectory(data);
  try {
    return checkDocument(await checkStoppedLogs({ data, url: settings.url, password, now }));
  } finally {
    directory.release();
  }
}
