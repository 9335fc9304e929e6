// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../../wire/index.ts';
import type { InstallSettings } from './install-settings.ts';

type Rule = { readonly [key: string]: Json };

const rule = (
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  names: readonly string[] = [],
): Rule => ({
  apiGroups: [group],
  resources: [...resources],
  ...(names.length === 0 ? {} : { resourceNames: [...names] }),
  verbs: [...verbs],
});

const WATCH = ['get', 'list', 'watch'];

/** What the gate may do, and nothing else: it writes only what is its own. */
export function roles(settings: InstallSettings): readonly Json[] {
  const { name, namespace, pullSecrets, labels } = settings;
  const metadata = { name, labels };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const inside = { ...metadata, namespace };
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRole',
      metadata,
      rules: clusterRules(name, pullSecrets),
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
      subjects,
    },
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: inside, rules: ownRules(name) },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: inside,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects,
    },
  ];
}

function clusterRules(name: string, pullSecrets: boolean): Json {
  return [
    rule('policy.sigstore.dev', ['clusterimagepolicies', 'trustroots'], WATCH),
    rule('policy.sigstore.dev', ['clusterimagepolicies/status', 'trustroots/status'], ['patch']),
    rule('policy.bulla', ['policysettings'], WATCH),
    rule('policy.bulla', ['policysettings/status'], ['patch']),
    // By name, never listed: those that a Pod or its service account names.
    ...(pullSecrets ? [rule('', ['secrets', 'serviceaccounts'], ['get'])] : []),
    // Whether the definition of policies keeps what it does not know.
    rule('apiextensions.k8s.io', ['customresourcedefinitions'], ['get'], ['clusterimagepolicies.policy.sigstore.dev']),
    rule('', ['events'], ['create']),
    rule('wgpolicyk8s.io', ['policyreports'], ['create', 'patch']),
    rule(
      'admissionregistration.k8s.io',
      ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
      [...WATCH, 'update'],
      [name],
    ),
    // A gate that mutates nothing takes away what an earlier one had.
    rule('admissionregistration.k8s.io', ['mutatingwebhookconfigurations'], ['delete'], [name]),
    // To which what it puts back belongs, until it is sure that nobody is taking the gate away.
    rule('rbac.authorization.k8s.io', ['clusterroles'], ['get'], [name]),
    // What is created has no name yet by which it could be allowed.
    rule(
      'admissionregistration.k8s.io',
      ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
      ['create'],
    ),
  ];
}

function ownRules(name: string): Json {
  return [
    rule('', ['secrets', 'configmaps'], WATCH),
    rule('', ['secrets'], ['create']),
    rule('', ['secrets'], ['update'], [`${name}-tls`]),
    rule('policy.bulla', ['policyexceptions'], WATCH),
    rule('policy.bulla', ['policyexceptions/status'], ['patch']),
    // Whether it asks for another gate by now.
    rule('apps', ['deployments'], ['get'], [name]),
    rule('coordination.k8s.io', ['leases'], ['create']),
    rule('coordination.k8s.io', ['leases'], ['get', 'update'], [name]),
  ];
}
