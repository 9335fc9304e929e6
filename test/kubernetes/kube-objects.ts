// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { keyFile } from '../interop/lab.ts';

/** the key of these tests */
export const PUBLIC_KEY: string = readFileSync(keyFile('cosign.pub'), 'utf8');

/** An object of Kubernetes, as these tests write it. */
export type KubeObject = { readonly [key: string]: unknown };

/** A policy: images below these globs are sealed by the key of these tests. */
export function keyPolicy(
  name: string,
  globs: readonly string[],
  more: KubeObject = {},
  key: string = PUBLIC_KEY,
): KubeObject {
  return {
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: globs.map((glob) => ({ glob })), authorities: [{ name: 'key', key: { data: key } }], ...more },
  };
}

/** A pod of one container. */
function podSpec(image: string, more: KubeObject = {}): KubeObject {
  return { containers: [{ name: 'main', image }], ...more };
}

export function pod(name: string, image: string, more: KubeObject = {}, metadata: KubeObject = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata }, spec: podSpec(image, more) };
}

/** Any workload with a pod template. */
export function workload(kind: string, name: string, image: string): KubeObject {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(image) };
  const selector = { matchLabels: labels };
  const job = { template: { spec: podSpec(image, { restartPolicy: 'Never' }) } };
  const metadata = { name };
  switch (kind) {
    case 'Deployment':
    case 'ReplicaSet':
      return { apiVersion: 'apps/v1', kind, metadata, spec: { replicas: 1, selector, template } };
    case 'StatefulSet':
      return { apiVersion: 'apps/v1', kind, metadata, spec: { replicas: 1, serviceName: name, selector, template } };
    case 'DaemonSet':
      return { apiVersion: 'apps/v1', kind, metadata, spec: { selector, template } };
    case 'Job':
      return { apiVersion: 'batch/v1', kind, metadata, spec: job };
    case 'CronJob':
      return {
        apiVersion: 'batch/v1beta1',
        kind,
        metadata,
        spec: { schedule: '0 0 1 1 *', jobTemplate: { spec: job } },
      };
    case 'ReplicationController':
      return { apiVersion: 'v1', kind, metadata, spec: { replicas: 1, selector: labels, template } };
    case 'PodTemplate':
      return { apiVersion: 'v1', kind, metadata, template };
    default:
      throw new Error(`no workload of kind ${kind}`);
  }
}
