// SPDX-License-Identifier: Apache-2.0
import { parseReference, RemoteRegistry, type RemoteLimits, type RemoteOptions } from '../../oci/index.ts';
import type { PullCredentials, PullScope } from './ports.ts';

/** How much a gate keeps of one registry, and how long it waits for it: there may be many, and somebody waits for the answer. */
export const GATE_REMOTE_LIMITS: Pick<RemoteLimits, 'cacheBytes' | 'deadlineMs'> = {
  cacheBytes: 4 * 1024 * 1024,
  deadlineMs: 20_000,
};

/** registries whose connections and tokens are held */
const MAX_REGISTRIES = 100;

/** The gate's own credentials for every workload: for a gate outside the cluster, which sees no pull secrets. */
export function sharedCredentials(remote: RemoteOptions): PullCredentials {
  const registries = new Map<string, RemoteRegistry>();
  const options = { ...remote, limits: { ...GATE_REMOTE_LIMITS, ...remote.limits } };
  const scope: PullScope = {
    key: 'gate',
    async open(name) {
      const { registry, repository } = parseReference(name);
      const known = registries.get(registry) ?? new RemoteRegistry(registry, options);
      registries.delete(registry);
      registries.set(registry, known);
      if (registries.size > MAX_REGISTRIES) registries.delete(registries.keys().next().value ?? '');
      return known.repository(repository);
    },
  };
  return { scopeOf: () => scope };
}
