// SPDX-License-Identifier: Apache-2.0

/**
 * What the keys of a stack are for.
 *
 * - `ca-root` certifies `ca`, which certifies identities
 * - `ct-log` promises that certificates are logged
 * - `log-v1` and `log-v2` sign the logs of signatures, of Rekor v1 and v2; each shard of v2 has its own
 * - `tsa-root` certifies `tsa`, which gives timestamps
 * - `tuf-…` sign the TUF repository
 * - `issuer` signs identity tokens
 */
export const KEY_ROLES = [
  'ca-root',
  'ca',
  'ct-log',
  'log-v1',
  'log-v2',
  'tsa-root',
  'tsa',
  'tuf-root',
  'tuf-targets',
  'tuf-snapshot',
  'tuf-timestamp',
  'issuer',
] as const;

/** What a key of a stack is for. */
export type KeyRole = (typeof KEY_ROLES)[number];

/** Those that are seldom used and worth most: what `offlineRoot` keeps out of the running process. */
export const OFFLINE_ROLES: ReadonlySet<KeyRole> = new Set(['ca-root', 'tsa-root', 'tuf-root', 'tuf-targets']);

/** Those that have a chain of certificates. */
export const CERTIFIED_ROLES: ReadonlySet<KeyRole> = new Set(['ca-root', 'ca', 'tsa-root', 'tsa']);
