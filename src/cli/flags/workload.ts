// SPDX-License-Identifier: Apache-2.0
import type { Workload } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readPolicyFiles } from './policy-files.ts';

/** The one object in a manifest that runs images. @throws CliError `usage` where there is none, or several; as `readFile` */
export async function readWorkload(context: CommandContext, file: string): Promise<Workload> {
  const { formatFault, readWorkloads, YAML_LIMITS } = await import('../../policy/index.ts');
  const [read] = await readPolicyFiles(context, [file], YAML_LIMITS.maxBytes);
  const { workloads, faults } = await readWorkloads(read ?? { name: file, bytes: new Uint8Array() });
  const [fault] = faults;
  if (fault !== undefined) throw new CliError('usage', formatFault(fault));
  const [workload, ...others] = workloads;
  if (workload === undefined || others.length > 0)
    throw new CliError('usage', `${file} has ${workloads.length} objects that run images, expected exactly one`);
  return workload;
}
