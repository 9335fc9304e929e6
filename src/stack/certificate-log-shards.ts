// SPDX-License-Identifier: Apache-2.0
import type { Call, Service } from '../wire/index.ts';
import { CertificateRefusal } from './certificate-authority/refusal.ts';

/** Where a certificate log is read whose key was replaced, below the address of the newest. */
export function certificateShardPath(id: string): string {
  return `/shards/${id}`;
}

/**
 * The certificate logs of a stack below `/ct`: the newest by RFC 6962's path (`/ct/v1/…`) and, as clients put it together that take `/ct` for
 * its address, `/ct/ct/v1/…`; those before it below `/ct/shards/KEY/ct/v1/…`, so that a monitor reads on to their end.
 *
 * @param ended by the ids of their keys
 */
export function servedCertificateLogs(newest: Service, ended: ReadonlyMap<string, Service>): Service {
  return {
    answer: async (call) => {
      const [, id, path] = /^\/ct(?:\/shards\/([a-z0-9-]{1,80}))?(\/ct\/v1\/.*)$/.exec(call.target) ?? [];
      if (path === undefined) return await newest.answer(call);
      const service = id === undefined ? newest : ended.get(id);
      if (service === undefined) throw new CertificateRefusal('route-unknown', 'there is no such certificate log');
      const below: Call = { ...call, target: path };
      return await service.answer(below);
    },
    fault: (error) => newest.fault(error),
  };
}
