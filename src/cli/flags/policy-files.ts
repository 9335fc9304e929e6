// SPDX-License-Identifier: Apache-2.0
import type { DocumentFault, PolicyFile } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import { printable } from '../output/printable.ts';
import { style } from '../output/style.ts';

const MAX_FILES = 1000;

/** The files of policies that a command line names; `-` is standard input. @throws as `readFile`; CliError `usage` */
export async function readPolicyFiles(
  context: CommandContext,
  names: readonly string[],
  maxBytes: number,
): Promise<readonly PolicyFile[]> {
  if (names.length > MAX_FILES) throw new CliError('usage', `${names.length} files, at most ${MAX_FILES} are read`);
  const files: PolicyFile[] = [];
  for (const name of names) {
    const bytes =
      name === '-'
        ? await context.readStdin(maxBytes)
        : await readFile(name, { cwd: context.cwd, what: 'policy', maxBytes });
    files.push({ name: name === '-' ? 'standard input' : name, bytes });
  }
  return files;
}

const SHOWN: Readonly<Record<DocumentFault['severity'], string>> = {
  error: 'error',
  gap: 'not here',
  warning: 'warning',
};

/** Faults as compilers write them, one a line. */
export function showFaults(
  { color }: Pick<CommandContext, 'color'>,
  faults: readonly DocumentFault[],
  format: (fault: DocumentFault) => string,
): string {
  const paint = style(color);
  return faults
    .map((fault) => {
      const kind = SHOWN[fault.severity];
      return `${fault.severity === 'error' ? paint.red(kind) : paint.yellow(kind)}: ${printable(format(fault))} [${fault.code}]\n`;
    })
    .join('');
}

/** A fault in JSON. */
export function faultDocument({ severity, code, place, message }: DocumentFault): object {
  return { severity, code, ...place, message };
}
