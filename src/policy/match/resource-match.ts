// SPDX-License-Identifier: Apache-2.0
import type { RunContext } from '../evaluate/authority-matches.ts';
import { selects, type Labels, type LabelSelector } from './label-selector.ts';

/** The objects that policy-controller judges, by the plural names that policies use. */
export const KNOWN_RESOURCES: readonly string[] = [
  'pods',
  'deployments',
  'replicasets',
  'statefulsets',
  'daemonsets',
  'jobs',
  'cronjobs',
];

/** What is about to run the image. */
export interface Resource {
  /** empty for the core group */
  readonly group: string;
  readonly version: string;
  /** plural, for example `deployments` */
  readonly resource: string;
  /** of the object itself, not of the pods that it makes */
  readonly labels: Labels;
}

/** An object that runs images, and what policies may see of it. */
export interface Workload extends RunContext {
  readonly resource: Resource;
}

/** One entry of `spec.match`. */
export interface ResourceMatch {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly selector?: LabelSelector;
}

/** Whether a policy is about this resource: one of its entries matches, or it has none. What is no resource at all matches no entry. */
export function matchesResource(entries: readonly ResourceMatch[], resource: Resource | undefined): boolean {
  if (entries.length === 0) return true;
  return resource !== undefined && entries.some((entry) => matchesEntry(entry, resource));
}

function matchesEntry(entry: ResourceMatch, { group, version, resource, labels }: Resource): boolean {
  return (
    entry.group === group &&
    (entry.version === '*' || entry.version === version) &&
    entry.resource === resource &&
    (entry.selector === undefined || selects(entry.selector, labels))
  );
}
