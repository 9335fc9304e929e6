// SPDX-License-Identifier: Apache-2.0
import { json, type Service } from '../wire/index.ts';

/** Something that keeps a stack from serving as it should, in one line. */
export type Trouble = string;

/**
 * `/healthz` (the process answers) and `/readyz` (every service does its work; 503 names those that do not).
 *
 * @param troubles asked at each `/readyz`
 */
export function healthService(troubles: () => readonly Trouble[]): Service {
  return {
    async answer({ target, method }) {
      if (method !== 'GET' && method !== 'HEAD')
        return json({ code: 'method-not-allowed' }, { allow: 'GET, HEAD' }, 405);
      if (target.startsWith('/healthz')) return json({ status: 'SERVING' });
      const found = troubles();
      return found.length === 0
        ? json({ status: 'READY', troubles: [] })
        : json({ status: 'NOT_READY', troubles: found }, {}, 503);
    },
    fault: () => json({ status: 'FAILED' }, {}, 500),
  };
}
