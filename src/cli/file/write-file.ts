// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { CommandContext } from '../context.ts';
import { replaceFiles } from './replace-files.ts';

/**
 * Writes a file whole, replacing what was there.
 *
 * @param name relative to `context.cwd`
 * @param mode permissions; readable by all unless told
 * @throws CliError `file-unwritable`
 */
export async function writeFileAtomically(
  context: Pick<CommandContext, 'cwd'>,
  name: string,
  bytes: Uint8Array,
  mode = 0o644,
): Promise<void> {
  replaceFiles([{ path: resolve(context.cwd, name), bytes, mode }]);
}
