// SPDX-License-Identifier: Apache-2.0
import {
  countOutcomes,
  type CheckedImage,
  type CheckReport,
  type FoundImage,
  type ManifestFault,
} from '../../gate/index.ts';
import { decisionDocument } from './decision-json.ts';

/** What came of a check in JSON. The shape is documented in docs/cli.md and kept. */
export function checkDocument(report: CheckReport, exitCode: number): object {
  const { outcome, images, faults, passedOver } = report;
  return {
    exitCode,
    outcome,
    counts: countOutcomes(images),
    images: images.map(checkedDocument),
    faults: faults.map(manifestFaultDocument),
    passedOver,
  };
}

export function checkedDocument({ decision, found }: CheckedImage): object {
  return { ...decisionDocument(decision), places: found.map(placeDocument) };
}

export function manifestFaultDocument({ severity, code, place, message }: ManifestFault): object {
  return { severity, code, ...place, message };
}

function placeDocument({ place, source, workload }: FoundImage): object {
  const object = workload === undefined ? null : { ...workload.resource, name: nameOf(workload.metadata) };
  return { ...place, source, object };
}

function nameOf(metadata: unknown): string | null {
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return null;
  return typeof metadata.name === 'string' ? metadata.name : null;
}
