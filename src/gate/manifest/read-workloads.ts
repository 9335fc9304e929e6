// SPDX-License-Identifier: Apache-2.0
import type { Workload } from '../../policy/index.ts';
import type { Json } from '../../wire/index.ts';
import { GateError } from '../error.ts';
import { imageFields, objectsOf } from '../workload/image-fields.ts';
import { podSpecPath } from '../workload/pod-spec-path.ts';
import { resourceOf } from '../workload/resource-of.ts';
import type { ManifestFault, ManifestFile } from './found-image.ts';
import { jsonOf, readLocatedYaml } from './located-yaml.ts';
import { ManifestFaults, SourceText } from './source-text.ts';

/** Objects in a file, and what of it could not be read. */
export interface ReadWorkloads {
  readonly workloads: readonly Workload[];
  readonly faults: readonly ManifestFault[];
}

/** The objects of Kubernetes in a file that run images, of whatever kind: those that name images, or have a place for a pod. */
export async function readWorkloads(file: ManifestFile): Promise<ReadWorkloads> {
  const source = SourceText.decode(file);
  if (!(source instanceof SourceText)) return { workloads: [], faults: [source] };
  const faults = new ManifestFaults();
  const objects: Json[] = [];
  for (const document of await readLocatedYaml(source)) {
    if (document.kind === 'fault') {
      const { code, offset, message } = document.fault;
      faults.add('error', code, source.place(offset, ''), message);
      continue;
    }
    try {
      objects.push(...objectsOf(jsonOf(document.value)).map(({ object }) => object));
    } catch (error) {
      if (!(error instanceof GateError)) throw error;
      faults.add('error', 'manifest-too-large', source.place(document.value.start, ''), error.message);
    }
  }
  const workloads = objects.filter(runsImages).map(resourceOf);
  return { workloads: workloads.filter((workload) => workload !== undefined), faults: faults.all };
}

function runsImages(object: Json): boolean {
  if (podSpecPath(object) !== undefined) return true;
  try {
    return imageFields(object).length > 0;
  } catch (error) {
    if (!(error instanceof GateError)) throw error;
    return true; // it has more of them than are read, or none that can be one
  }
}
