// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../../wire/index.ts';
import type { ClusterApi } from '../cluster-api.ts';
import { isNotFound } from '../cluster-error.ts';
import { listPages } from '../list-pages.ts';
import { listPath, type ResourceKind } from '../resource-kinds.ts';

const kind = (apiVersion: string, name: string, plural: string): ResourceKind => ({
  apiVersion,
  kind: name,
  plural,
  namespaced: true,
});

/** What runs, and what makes it run, in the first version that the cluster serves. */
const KINDS: readonly (readonly ResourceKind[])[] = [
  [kind('v1', 'Pod', 'pods')],
  [kind('v1', 'ReplicationController', 'replicationcontrollers')],
  [kind('v1', 'PodTemplate', 'podtemplates')],
  [kind('apps/v1', 'Deployment', 'deployments')],
  [kind('apps/v1', 'ReplicaSet', 'replicasets')],
  [kind('apps/v1', 'StatefulSet', 'statefulsets')],
  [kind('apps/v1', 'DaemonSet', 'daemonsets')],
  [kind('batch/v1', 'Job', 'jobs')],
  [kind('batch/v1', 'CronJob', 'cronjobs'), kind('batch/v1beta1', 'CronJob', 'cronjobs')],
];

/**
 * Every workload and Pod of a cluster, page by page.
 *
 * @param namespace empty for all
 * @param each called with each object
 * @throws ClusterError, also where a kind cannot be listed: then not everything was seen
 */
export async function listRunning(
  api: ClusterApi,
  namespace: string,
  each: (object: Json) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (const versions of KINDS) await listFirst(api, namespace, versions, each, signal);
}

async function listFirst(
  api: ClusterApi,
  namespace: string,
  [first, ...others]: readonly ResourceKind[],
  each: (object: Json) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (first === undefined) return;
  const { apiVersion, kind: name } = first;
  const call = { path: listPath(first, namespace), ...(signal === undefined ? {} : { signal }) };
  try {
    await listPages(api, call, (object) => {
      // an item of a list of one kind does not say what it is
      if (isJsonObject(object)) each({ ...object, apiVersion, kind: name });
    });
  } catch (error) {
    if (!isNotFound(error) || others.length === 0) throw error;
    await listFirst(api, namespace, others, each, signal);
  }
}
