// SPDX-License-Identifier: Apache-2.0
import type { ManifestFault } from '../../gate/index.ts';
import type { Workload } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

/** The one object in a manifest that runs images; `-` is standard input. @throws CliError `usage` where there is none, or several; as `readFile` */
export async function readWorkload(context: CommandContext, file: string): Promise<Workload> {
  const { MANIFEST_LIMITS, readWorkloads } = await import('../../gate/index.ts');
  const { maxBytes } = MANIFEST_LIMITS;
  const name = file === '-' ? 'standard input' : file;
  const bytes =
    file === '-'
      ? await context.readStdin(maxBytes)
      : await readFile(file, { cwd: context.cwd, what: 'manifest', maxBytes });
  const { workloads, faults } = await readWorkloads({ name, bytes });
  const [fault] = faults;
  if (fault !== undefined) throw new CliError('usage', formatManifestFault(fault));
  const [workload, ...others] = workloads;
  if (workload === undefined || others.length > 0)
    throw new CliError('usage', `${name} has ${workloads.length} objects that run images, expected exactly one`);
  return workload;
}

function formatManifestFault({ place: { file, line, column, field }, message }: ManifestFault): string {
  return `${file}:${line}:${column}: ${field === '' ? '' : `${field}: `}${message}`;
}
