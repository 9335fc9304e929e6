// SPDX-License-Identifier: Apache-2.0
import type { PolicyDocuments, PolicySet, PolicySurroundings } from '../../policy/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import type { ClusterApi } from './cluster-api.ts';
import { PolicyCompiler, type ObjectStatus, type PolicyObjects } from './compile-policies.ts';
import { listPages } from './list-pages.ts';
import { listPath, POLICY_KINDS, type PolicyKind } from './resource-kinds.ts';

/**
 * The policies of a cluster as they are at this moment, as its gate would have them in force.
 *
 * @param namespace of the gate
 * @throws ClusterError
 */
export async function loadClusterPolicies(
  api: ClusterApi,
  namespace: string,
  surroundings: (documents: PolicyDocuments) => Promise<PolicySurroundings>,
): Promise<{ readonly set: PolicySet; readonly statuses: readonly ObjectStatus[] }> {
  const list = async (kind: PolicyKind): Promise<readonly Json[]> => {
    const objects: Json[] = [];
    await listPages(api, { path: listPath(POLICY_KINDS[kind], namespace) }, (object) => {
      if (isJsonObject(object)) objects.push(object);
    });
    return objects;
  };
  const objects: PolicyObjects = {
    policies: await list('policies'),
    trustRoots: await list('trustRoots'),
    settings: await list('settings'),
    exceptions: await list('exceptions'),
    secrets: await list('secrets'),
    configMaps: await list('configMaps'),
  };
  return await new PolicyCompiler().compile(objects, surroundings);
}
