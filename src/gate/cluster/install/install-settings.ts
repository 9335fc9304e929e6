// SPDX-License-Identifier: Apache-2.0
import type { Mutate } from '../webhook-configuration.ts';

/** What is installed, and how. */
export interface InstallSettings {
  /** of everything that is installed */
  readonly name: string;
  readonly namespace: string;
  /** an address outside of the cluster that serves the gate; then nothing runs inside */
  readonly url?: string;
  /** of the gate, with its digest */
  readonly image: string;
  /** Secrets of its namespace by which that is pulled */
  readonly imagePullSecrets: readonly string[];
  readonly replicas: number;
  /** from 1 to 30 */
  readonly timeoutSeconds: number;
  readonly mutate: Mutate;
  /** namespaces that the gate does not judge; its own is always one */
  readonly excluded: readonly string[];
  /** further resources to ask about, `group/version/plural` */
  readonly resources: readonly string[];
  /** the gate may read the pull secrets of workloads */
  readonly pullSecrets: boolean;
  /** ports of registries, logs and the API server that the gate may call */
  readonly egressPorts: readonly number[];
  /** `policy/v1` from 1.21 on, `policy/v1beta1` before */
  readonly disruptionVersion: string;
  readonly priorityClass: string;
  /** further arguments of `bulla admission serve` */
  readonly arguments: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** The labels of everything that is installed under a name. */
export function labelsOf(name: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': 'bulla-gate', 'app.kubernetes.io/instance': name };
}

/** where the gate and its metrics listen in a Pod */
export const GATE_PORT: number = 8443;
export const METRICS_PORT: number = 8081;
