// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { textOf, type JsonPath } from './json-path.ts';

/** Group, version and kind of an object. */
export interface ObjectType {
  /** empty for the core group */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** @returns `undefined` for what is no Kubernetes object: it has no `apiVersion` or no `kind` */
export function objectType(object: Json): ObjectType | undefined {
  const apiVersion = textOf(object, 'apiVersion') ?? '';
  const kind = textOf(object, 'kind') ?? '';
  if (apiVersion === '' || kind === '') return undefined;
  const slash = apiVersion.indexOf('/');
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), kind };
}

const TEMPLATE: JsonPath = ['spec', 'template', 'spec'];
const APPS: readonly (readonly [string, JsonPath])[] = [
  ['Deployment', TEMPLATE],
  ['ReplicaSet', TEMPLATE],
  ['StatefulSet', TEMPLATE],
  ['DaemonSet', TEMPLATE],
];

/** Kubernetes' own kinds, by group. Their fields are known: nothing else in them is a pod. */
const POD_SPECS: ReadonlyMap<string, ReadonlyMap<string, JsonPath>> = new Map([
  [
    '',
    new Map<string, JsonPath>([
      ['Pod', ['spec']],
      // what `kubectl debug` sent until Kubernetes 1.21: the containers without a Pod around them
      ['EphemeralContainers', []],
      ['PodTemplate', ['template', 'spec']],
      ['ReplicationController', TEMPLATE],
    ]),
  ],
  ['apps', new Map(APPS)],
  ['extensions', new Map(APPS)],
  [
    'batch',
    new Map<string, JsonPath>([
      ['Job', TEMPLATE],
      ['CronJob', ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
      ['JobTemplate', ['template', 'spec', 'template', 'spec']],
    ]),
  ],
]);

/**
 * Where the pod specification of one of Kubernetes' own kinds stands, in whatever version of its group; `undefined` for every other kind.
 *
 * @see https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/
 */
export function podSpecPath(object: Json): JsonPath | undefined {
  const type = objectType(object);
  return type === undefined ? undefined : POD_SPECS.get(type.group)?.get(type.kind);
}
