// SPDX-License-Identifier: Apache-2.0
import { FaultList, type DocumentFault } from '../document/fault.ts';
import { FieldReader } from '../document/field-reader.ts';
import { readYamlStream, type PolicyFile } from '../document/yaml-stream.ts';
import type { RunContext } from '../evaluate/authority-matches.ts';
import { WORKLOADS, type Resource } from './resource-match.ts';

/** An object that runs images, and what policies may see of it. */
export interface Workload extends RunContext {
  readonly resource: Resource;
}

const MAX_LABELS = 1000;

/** Reads manifests of objects that run images; others are passed over. */
export async function readWorkloads(
  file: PolicyFile,
): Promise<{ readonly workloads: readonly Workload[]; readonly faults: readonly DocumentFault[] }> {
  const faults = new FaultList();
  const workloads: Workload[] = [];
  for (const value of await readYamlStream(file, faults)) {
    if (value.kind !== 'map') continue;
    const reader = new FieldReader(value, file.name, '', faults);
    const apiVersion = reader.text('apiVersion') ?? '';
    const kind = reader.text('kind') ?? '';
    const resource = WORKLOADS.get(kind);
    if (resource === undefined) continue;
    const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion];
    const labels = Object.fromEntries(reader.object('metadata')?.pairs('labels', MAX_LABELS) ?? []);
    workloads.push({
      resource: { group, version, resource, labels },
      spec: reader.json('spec') ?? null,
      metadata: reader.json('metadata') ?? null,
      typemeta: { apiVersion, kind },
    });
  }
  return { workloads, faults: faults.all };
}
