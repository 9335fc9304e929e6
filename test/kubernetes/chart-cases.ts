// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { type KubeObject } from './kube-objects.ts';

/** the Helm chart */
export const CHART: string = join(import.meta.dirname, '..', '..', 'deploy', 'helm', 'bulla');
export const IMAGE: string = `registry.example.com/bulla@sha256:${'a'.repeat(64)}`;
/** namespace of the release */
export const RELEASE = 'bulla-system';

/** Values of the chart, and the flags of `bulla admission install` that say the same. */
export const CASES: Readonly<Record<string, { readonly values: KubeObject; readonly flags: readonly string[] }>> = {
  'its own values': { values: {}, flags: [] },
  'every value changed': {
    values: {
      name: 'other',
      replicas: 3,
      timeoutSeconds: 7,
      mutate: 'workloads',
      excludedNamespaces: ['kube-system', 'kube-node-lease', 'kube-public', 'istio-system'],
      resources: [{ group: 'example.com', version: '*', plural: 'trainings' }],
      pullSecrets: false,
      imagePullSecrets: ['one', 'two.more'],
      egressPorts: [80, 443, 5000, 6443],
      priorityClass: '',
      arguments: ['--tag-age=10s', '--data=/var/lib/bulla "x"'],
    },
    flags: [
      '--name=other',
      '--replicas=3',
      '--webhook-timeout=7s',
      '--mutate=workloads',
      '--exclude-namespace=istio-system',
      '--resource=example.com/*/trainings',
      '--pull-secrets=false',
      '--image-pull-secret=one',
      '--image-pull-secret=two.more',
      '--egress-port=5000',
      '--priority-class=',
      '--argument=--tag-age=10s',
      '--argument=--data=/var/lib/bulla "x"',
    ],
  },
  'no mutation, and nothing left out': {
    values: { mutate: 'none', excludedNamespaces: [] },
    flags: ['--mutate', 'none', '--system-namespaces'],
  },
};
