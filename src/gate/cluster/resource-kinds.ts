// SPDX-License-Identifier: Apache-2.0

/** A kind of object that the gate reads from a cluster. */
export interface ResourceKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** The group of policy-controller, whose resources are read as they are. */
const SIGSTORE = 'policy.sigstore.dev';
/** The group of our own. */
const OWN = 'policy.bulla';

/** What policies are made of, by the names of this room. */
export type PolicyKind = 'policies' | 'trustRoots' | 'settings' | 'exceptions' | 'secrets' | 'configMaps';

/** Where the API server has it. */
export const POLICY_KINDS: Readonly<Record<PolicyKind, ResourceKind>> = {
  policies: {
    apiVersion: `${SIGSTORE}/v1beta1`,
    kind: 'ClusterImagePolicy',
    plural: 'clusterimagepolicies',
    namespaced: false,
  },
  trustRoots: { apiVersion: `${SIGSTORE}/v1alpha1`, kind: 'TrustRoot', plural: 'trustroots', namespaced: false },
  settings: { apiVersion: `${OWN}/v1alpha1`, kind: 'PolicySettings', plural: 'policysettings', namespaced: false },
  exceptions: { apiVersion: `${OWN}/v1alpha1`, kind: 'PolicyException', plural: 'policyexceptions', namespaced: true },
  secrets: { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
  configMaps: { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
};

/** The path of a list. @param namespace empty for all namespaces */
export function listPath({ apiVersion, plural, namespaced }: ResourceKind, namespace: string): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return namespaced && namespace !== '' ? `${root}/namespaces/${namespace}/${plural}` : `${root}/${plural}`;
}

/** The path of one object. */
export function objectPath(kind: ResourceKind, namespace: string, name: string): string {
  return `${listPath(kind, namespace)}/${encodeURIComponent(name)}`;
}
