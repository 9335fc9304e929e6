// SPDX-License-Identifier: Apache-2.0
import { openTransport, type Environment, type Transport } from '../../wire/index.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterError } from './cluster-error.ts';
import { HttpClusterApi } from './http-cluster-api.ts';
import { inClusterAccess } from './in-cluster-access.ts';
import type { KubeconfigChoice } from './kubeconfig-access.ts';

/** Which cluster, and from where. */
export interface OpenClusterOptions extends KubeconfigChoice {
  readonly env: Environment;
  readonly transport?: Transport;
  /** the cluster that this runs in, and no other */
  readonly inCluster?: boolean;
}

/**
 * The API of a cluster: the one that a kubeconfig names; without a name, in a Pod the one it runs in, else the one that kubectl would ask.
 *
 * @throws ClusterError `package-missing`, `kubeconfig-malformed`
 * @example
 * const api = await openCluster({ env: process.env });
 * const pods = await api.call({ method: 'GET', path: '/api/v1/pods', query: { limit: '500' } });
 */
export async function openCluster(options: OpenClusterOptions): Promise<ClusterApi> {
  const { env, transport, inCluster = false, ...choice } = options;
  const named =
    !inCluster && (choice.file !== undefined || choice.context !== undefined || (env['KUBECONFIG'] ?? '') !== '');
  const own = named ? undefined : await inClusterAccess(env);
  if (inCluster && own === undefined)
    throw new ClusterError('kubeconfig-malformed', 'this runs in no Pod: KUBERNETES_SERVICE_HOST is not set');
  const access = own ?? (await (await import('./kubeconfig-access.ts')).kubeconfigAccess(choice));
  return new HttpClusterApi(access, transport ?? (await openTransport({ environment: env })));
}
