// SPDX-License-Identifier: Apache-2.0
import {
  canCertify,
  draftIntermediate,
  draftRoot,
  draftTimestampAuthority,
  type Certifier,
} from './draft-authority.ts';
import { certifierOf, draftKey } from './draft-keys.ts';
import { KeyRingError } from './key-ring-error.ts';
import type { KeyRing, RingChange } from './key-ring.ts';
import type { KeyRole } from './key-role.ts';
import type { KeyDraft, RingKey } from './ring-key.ts';
import { MAX_LIFETIME_S } from '../issuer/mint-token.ts';

/** What can be given a new key. */
export const ROTATIONS = [
  'ca',
  'ctlog',
  'log',
  'tsa',
  'root',
  'tuf-targets',
  'tuf-snapshot',
  'tuf-timestamp',
  'issuer',
] as const;

/** What is given a new key: `log` means a new shard of each log, `root` the root of the TUF repository, `tuf-…` what else signs there. */
export type Rotation = (typeof ROTATIONS)[number];

/** How keys are rotated. */
export interface RotationOptions {
  readonly now: Date;
  /** milliseconds that clients go on to trust what the old key signs; a day unless told (the issuer: a day and an hour), 0 where it is known to others */
  readonly overlapMs?: number;
  /** a directory to which the operator has brought keys that are kept elsewhere */
  readonly offlineKeys?: string | undefined;
  /** of the new shard of Rekor v2; that of the old one unless told */
  readonly logOrigin?: string | undefined;
  /** the logs that get a new shard; both unless told */
  readonly logs?: readonly ('log-v1' | 'log-v2')[];
}

const OVERLAP_MS = 24 * 60 * 60 * 1000;
/** As long as the longest token lives, and what clocks and processes that read the ring just before may be late by. */
const TOKEN_OVERLAP_MS = MAX_LIFETIME_S * 1000 + 60 * 60 * 1000;

/**
 * Makes the new keys and certificates of a rotation, and says which ones they replace. Nothing is written.
 *
 * A new certificate authority is certified by the same root, as long as that holds for another whole life; then it gets a new root too.
 *
 * @throws KeyRingError `key-offline` where a root must sign and is kept elsewhere, `role-vacant`; StoreError
 */
export async function planRotation(ring: KeyRing, rotation: Rotation, options: RotationOptions): Promise<RingChange> {
  const { now, overlapMs = rotation === 'issuer' ? TOKEN_OVERLAP_MS : OVERLAP_MS } = options;
  const add = await draftRotation(ring, rotation, options);
  const roles = new Set<KeyRole>(add.map(({ role }) => role));
  const end = new Date(Math.floor((now.getTime() + overlapMs) / 1000) * 1000);
  const retire = new Map(
    ring.keys.filter(({ role, state }) => state === 'active' && roles.has(role)).map(({ id }) => [id, end] as const),
  );
  return { add, retire };
}

async function draftRotation(
  ring: KeyRing,
  rotation: Rotation,
  options: RotationOptions,
): Promise<readonly KeyDraft[]> {
  const { settings } = ring;
  const { now, logs = ['log-v1', 'log-v2'], logOrigin } = options;
  switch (rotation) {
    case 'ca':
      return draftAuthority(ring, 'ca-root', options);
    case 'tsa':
      return draftAuthority(ring, 'tsa-root', options);
    case 'ctlog':
      return [await draftKey('ct-log', settings, now)];
    case 'root':
      return [await draftKey('tuf-root', settings, now)];
    case 'tuf-targets':
    case 'tuf-snapshot':
    case 'tuf-timestamp':
    case 'issuer':
      return [await draftKey(rotation, settings, now)];
    case 'log':
      return Promise.all(
        logs.map((role) => {
          const origin = role === 'log-v2' ? (logOrigin ?? ring.active(role).origin) : undefined;
          return draftKey(role, settings, now, origin);
        }),
      );
  }
}

async function draftAuthority(
  ring: KeyRing,
  rootRole: 'ca-root' | 'tsa-root',
  { now, offlineKeys }: RotationOptions,
): Promise<readonly KeyDraft[]> {
  const role = rootRole === 'ca-root' ? 'ca' : 'tsa';
  const issue = role === 'ca' ? draftIntermediate : draftTimestampAuthority;
  const name = (of: KeyRole) => ({ settings: ring.settings, generation: ring.of(of).length + 1, now });
  const root = ring.active(rootRole);
  const chain = chainOf(root);
  if (canCertify(chain[0], now))
    return [await issue(name(role), { chain, privateKey: await ring.privateKey(root, offlineKeys) })];
  const newRoot = await draftRoot(rootRole, name(rootRole));
  const certifier: Certifier = certifierOf(newRoot);
  return [newRoot, await issue(name(role), certifier)];
}

function chainOf({ id, chain }: RingKey): Certifier['chain'] {
  if (chain === undefined) throw new KeyRingError('ring-malformed', `${id} has no certificate`);
  return chain;
}
