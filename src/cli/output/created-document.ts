// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { CommandContext } from '../context.ts';
import { writeFileAtomically } from '../file/write-file.ts';
import { writeJson } from './json-document.ts';

/**
 * Writes a document that was made to a file, else to stdout: it is JSON itself, with `--json` too.
 *
 * @param what names it on stderr
 * @throws CliError `file-unwritable`
 */
export async function writeDocument(
  context: CommandContext,
  file: string | undefined,
  bytes: Uint8Array,
  what: string,
): Promise<void> {
  if (file === undefined || file === '') return context.stdout(new TextDecoder().decode(bytes));
  await writeFileAtomically(context, file, bytes);
  context.stderr(`Wrote ${what} to file ${file}\n`);
  if (context.json) writeJson(context, { out: file, sha256: hash('sha256', bytes, 'hex'), warnings: context.warnings });
}
