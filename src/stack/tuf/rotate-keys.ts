// SPDX-License-Identifier: Apache-2.0
import type { KeyRing } from '../key/key-ring.ts';
import { KeyRingError } from '../key/key-ring-error.ts';
import { planRotation, type Rotation, type RotationOptions } from '../key/plan-rotation.ts';
import type { KeyRole } from '../key/key-role.ts';
import type { RingKey } from '../key/ring-key.ts';
import { TufError } from './tuf-error.ts';
import type { TufRepository, TufTick } from './tuf-repository.ts';

/** What came of a rotation. */
export interface RotatedKeys {
  /** what the services must sign with from now on; `ring.privateKey` opens them */
  readonly activated: readonly RingKey[];
  /** what they must no longer sign with; clients trust it until its period ends */
  readonly retired: readonly RingKey[];
  /** what was published by that; nothing for the issuer, whose keys clients read from itself */
  readonly tick?: TufTick;
}

/**
 * Gives a service a new key, and tells all clients: trusted root, signing config and TUF repository change together.
 *
 *     1. the keys that must sign are at hand          if not, nothing happens
 *     2. the files of the new keys, flushed           a crash here: nothing refers to them
 *     3. ring.json, replaced and flushed              the commit point
 *     4. the repository publishes what the ring says  a crash here: the tick of the next start does it, before anything is served
 *     5. the caller switches its services
 *
 * So a service never signs with a key that no client has been told of, and after 3 it always comes to be used.
 *
 * @throws KeyRingError `key-offline` before anything has happened, `ring-changed`; TufError `publication-pending`, where the services go on
 * with the old keys and the next tick publishes the new ones; StoreError
 * @example
 * const { activated } = await rotateKeys(ring, repository, 'ca', { now: new Date() });
 */
export async function rotateKeys(
  ring: KeyRing,
  repository: TufRepository,
  rotation: Rotation,
  options: RotationOptions,
): Promise<RotatedKeys> {
  const { offlineKeys } = options;
  await requireAtHand(ring, rotation, offlineKeys);
  const change = await planRotation(ring, rotation, options);
  const before = new Set(ring.keys.map(({ id }) => id));
  await ring.change(change);
  const activated = ring.keys.filter(({ id }) => !before.has(id));
  const retired = ring.keys.filter(({ id }) => change.retire.has(id));
  // Its keys are published by the issuer itself: clients of the repository know nothing of them.
  if (rotation === 'issuer') return { activated, retired };
  let tick: TufTick;
  try {
    // New offline keys lie where they were made; what is named is looked into first.
    tick = await repository.tick({ offlineKeys: offlineKeys ?? ring.directory });
  } catch (cause) {
    throw new TufError(
      'publication-pending',
      `the new keys were made, and could not be published: services go on with the old ones until the next tick`,
      { cause },
    );
  }
  return { activated, retired, tick };
}

// What is published must be signed by the targets key, and a new root, which names the keys of the repository, by the old one.
const SIGNED_BY: Readonly<Record<Rotation, KeyRole | undefined>> = {
  ca: 'tuf-targets',
  ctlog: 'tuf-targets',
  log: 'tuf-targets',
  tsa: 'tuf-targets',
  root: 'tuf-root',
  'tuf-targets': 'tuf-root',
  'tuf-snapshot': 'tuf-root',
  'tuf-timestamp': 'tuf-root',
  issuer: undefined,
};

async function requireAtHand(ring: KeyRing, rotation: Rotation, offlineKeys: string | undefined): Promise<void> {
  const role = SIGNED_BY[rotation];
  for (const key of role === undefined ? [] : [ring.active(role)])
    if (!(await ring.isAtHand(key, offlineKeys)))
      throw new KeyRingError(
        'key-offline',
        `the ${key.role} key must sign this rotation, and is kept offline: name a directory that holds ${key.id}.key`,
      );
}
