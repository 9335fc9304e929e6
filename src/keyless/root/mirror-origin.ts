// SPDX-License-Identifier: Apache-2.0
import type { LoadedMirror } from './load-mirror.ts';
import { firstToExpire, summaryOf, type Mirror } from './mirror-state.ts';
import type { TrustOrigin } from './trust-origin.ts';

/** What is told of a mirror's state. */
export function originOf({ url }: Mirror, loaded: LoadedMirror): Extract<TrustOrigin, { kind: 'tuf' }> {
  const { state, kept, failure, unkept } = loaded;
  const warning = failure ?? unkept;
  return {
    kind: 'tuf',
    mirror: url.href,
    checkedAt: state.checkedAt,
    expires: firstToExpire(state).expires,
    rootVersion: summaryOf(state.metadata.root)?.version ?? 0,
    kept,
    ...(warning === undefined ? {} : { warning }),
  };
}
