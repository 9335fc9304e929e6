// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isNotFound } from './cluster-error.ts';
import { POLICY_KINDS } from './resource-kinds.ts';

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/**
 * Looks for what makes a cluster less safe than it seems: definitions that let fields go which they do not know, so that a policy would ask for
 * less than it says; and an API server that does not guard the label by which the gate's own namespace is left out.
 *
 * @param leavesOut webhook configurations leave namespaces out by their label
 * @returns what was found, one line each
 * @throws ClusterError where the cluster does not say
 */
export async function inspectCluster(api: ClusterApi, leavesOut: boolean): Promise<readonly string[]> {
  const found: string[] = [];
  const { apiVersion, plural } = POLICY_KINDS.policies;
  const name = `${plural}.${apiVersion.slice(0, apiVersion.indexOf('/'))}`;
  const definition = await readIfThere(api, `${DEFINITIONS}/${name}`);
  if (definition !== undefined && !keepsUnknown(definition))
    found.push(
      `the definition ${name} is not ours and lets go of fields that it does not know: of a policy with threshold, maxAge or claims the cluster ` +
        "keeps a laxer one; apply what 'bulla admission install' prints",
    );
  if (leavesOut && isBefore121(await api.call({ method: 'GET', path: '/version' })))
    found.push(
      'this API server is older than 1.21 and does not guard the label kubernetes.io/metadata.name: who may label a namespace can take it from the gate',
    );
  return found;
}

function keepsUnknown(definition: Json): boolean {
  return listOf(fieldOf(fieldOf(definition, 'spec'), 'versions')).every((version) => {
    const schema = fieldOf(fieldOf(version, 'schema'), 'openAPIV3Schema');
    const spec = fieldOf(fieldOf(schema, 'properties'), 'spec');
    return isJsonObject(spec) && spec['x-kubernetes-preserve-unknown-fields'] === true;
  });
}

function isBefore121(version: Json): boolean {
  const [major, minor] = ['major', 'minor'].map((part) => Number.parseInt(textOf(version, part) ?? '', 10));
  return major === 1 && minor !== undefined && minor < 21;
}

async function readIfThere(api: ClusterApi, path: string): Promise<Json | undefined> {
  try {
    return await api.call({ method: 'GET', path });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
