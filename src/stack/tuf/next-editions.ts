// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import type { PrivateKey, PublicKey } from '../../trust/index.ts';
import type { KeyRing } from '../key/key-ring.ts';
import type { RingKey } from '../key/ring-key.ts';
import {
  draftRootMetadata,
  draftSnapshot,
  draftTargets,
  draftTimestamp,
  expiryOf,
  seal,
  TUF_ROLES,
  tufKeyId,
  type Edition,
  type Models,
  type Signed,
  type TufRole,
} from './metadata.ts';
import type { CurrentEditions, PublishedState } from './published-state.ts';
import type { TufTarget } from './target.ts';
import { TufError } from './tuf-error.ts';
import type { TufWarning } from './tuf-warning.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Milliseconds that each file holds. It is signed again after half of that. */
export type Lifetimes = Readonly<Record<TufRole, number>>;

export const DEFAULT_LIFETIMES: Lifetimes = {
  root: 365 * DAY,
  targets: 180 * DAY,
  snapshot: 60 * DAY,
  timestamp: 7 * DAY,
};

/** What the next editions are made of. */
export interface Circumstances {
  readonly models: Models;
  readonly ring: KeyRing;
  readonly lifetimes: Lifetimes;
  readonly now: Date;
  readonly published: PublishedState;
  readonly targets: readonly TufTarget[];
  /** where keys lie that are kept offline; `true` for where they were made; `undefined` if none may be used */
  readonly offlineKeys: string | true | undefined;
  /** versions that are left out, with everything but the root signed anew: what is published is older than what clients have seen */
  readonly leap: number;
}

/** All that is to be published: what is not due is the very object that was published before. */
export interface NextEditions extends CurrentEditions {
  readonly root: Signed<Root>;
  readonly warnings: readonly TufWarning[];
}

/**
 * Signs anew what has changed or has lived half of its life: nothing, if nothing is due. What only a key can sign that is not at hand stays
 * as it is, with a warning.
 *
 * @throws TufError `repository-malformed`; KeyRingError `key-offline` if nothing is published yet and a key is not at hand, and others of `privateKey`; StoreError
 */
export async function nextEditions(circumstances: Circumstances): Promise<NextEditions> {
  const { models, published } = circumstances;
  const { current } = published;
  const warnings: TufWarning[] = [];
  const root = await nextRoot(circumstances, warnings);
  const targets = await nextTargets(circumstances, root, warnings);
  let { snapshot, timestamp } = current ?? {};
  if (
    snapshot === undefined ||
    targets !== current?.targets ||
    isDue(circumstances, 'snapshot', snapshot) ||
    !isSignedFor(root, 'snapshot', snapshot)
  ) {
    const draft = draftSnapshot(models, edition(circumstances, 'snapshot', snapshot), targets);
    snapshot = seal(models, draft, await signaturesFor(circumstances, root, 'snapshot'));
  }
  if (
    timestamp === undefined ||
    snapshot !== current?.snapshot ||
    isDue(circumstances, 'timestamp', timestamp) ||
    !isSignedFor(root, 'timestamp', timestamp)
  ) {
    const draft = draftTimestamp(models, edition(circumstances, 'timestamp', timestamp), snapshot);
    timestamp = seal(models, draft, await signaturesFor(circumstances, root, 'timestamp'));
  }
  return { root, targets, snapshot, timestamp, warnings };
}

async function nextRoot(circumstances: Circumstances, warnings: TufWarning[]): Promise<Signed<Root>> {
  const { models, ring, published } = circumstances;
  const previous = published.roots.at(-1);
  const outdated = previous !== undefined && !namesKeysOf(previous, ring);
  if (previous !== undefined && !outdated && !isDue(circumstances, 'root', previous)) return previous;
  // A new root is signed by the one before, so that clients follow, and by itself. Section 5.3.4 of the specification.
  const before = keysNamedBy(previous, 'root', ring);
  if (previous !== undefined && before.length === 0)
    throw new TufError(
      'repository-malformed',
      'the root that is published was signed by keys that this ring never had',
    );
  const keys = [ring.active('tuf-root'), ...before];
  const distinct = keys.filter((key, index) => keys.findIndex(({ id }) => id === key.id) === index);
  if (previous !== undefined && !(await mayUse(circumstances, distinct))) {
    warnings.push(
      outdated
        ? { code: 'root-outdated', message: 'the TUF root must name a new key, and its keys are kept offline' }
        : halfLife('root', previous),
    );
    return previous;
  }
  const key = (role: TufRole): PublicKey => ring.active(`tuf-${role}`).publicKey;
  const draft = draftRootMetadata(models, edition(circumstances, 'root', previous), {
    root: key('root'),
    targets: key('targets'),
    snapshot: key('snapshot'),
    timestamp: key('timestamp'),
  });
  return seal(models, draft, await keysOf(circumstances, distinct));
}

async function nextTargets(
  circumstances: Circumstances,
  root: Signed<Root>,
  warnings: TufWarning[],
): Promise<Signed<Targets>> {
  const { models, ring, published, targets } = circumstances;
  const previous = published.current?.targets;
  const outdated = previous !== undefined && (!lists(previous, targets) || !isSignedFor(root, 'targets', previous));
  if (previous !== undefined && !outdated && !isDue(circumstances, 'targets', previous)) return previous;
  if (previous !== undefined && !(await mayUse(circumstances, keysNamedBy(root, 'targets', ring)))) {
    warnings.push(
      outdated
        ? { code: 'targets-outdated', message: 'new TUF targets wait for their key, which is kept offline' }
        : halfLife('targets', previous),
    );
    return previous;
  }
  const draft = draftTargets(models, edition(circumstances, 'targets', previous), targets);
  return seal(models, draft, await signaturesFor(circumstances, root, 'targets'));
}

function halfLife(role: 'root' | 'targets', signed: Signed<Root | Targets>): TufWarning {
  const expires = expiryOf(signed);
  return {
    code: role === 'root' ? 'root-half-life' : 'targets-half-life',
    message: `half of the life of the TUF ${role} is over, its key is kept offline, and clients refuse it from ${expires.toISOString()} on`,
    expires,
  };
}

function isDue(
  { lifetimes, now, leap }: Circumstances,
  role: TufRole,
  signed: Signed<Root | Targets | Snapshot | Timestamp> | undefined,
): boolean {
  if (leap > 0 && role !== 'root') return true;
  return signed === undefined || expiryOf(signed).getTime() - now.getTime() < lifetimes[role] / 2;
}

function edition(
  { lifetimes, now, leap }: Circumstances,
  role: TufRole,
  previous: Signed<Root | Targets | Snapshot | Timestamp> | undefined,
): Edition {
  // Section 5.3.4: roots are followed one by one.
  const next = (previous?.metadata.signed.version ?? 0) + 1;
  // The seconds since 1970 as well: what was restored before, and published since, may be newer than this backup.
  const version = role === 'root' || leap === 0 ? next : Math.max(next + leap, Math.floor(now.getTime() / 1000));
  return { version, expires: new Date(now.getTime() + lifetimes[role]) };
}

// Keys that are kept offline are not even looked for unless the operator has brought them.
async function mayUse({ ring, offlineKeys }: Circumstances, keys: readonly RingKey[]): Promise<boolean> {
  const apart = keys.filter(({ place }) => place === 'offline');
  if (apart.length === 0) return true;
  if (offlineKeys === undefined) return false;
  const found = await Promise.all(apart.map((key) => ring.isAtHand(key, directoryOf(offlineKeys))));
  return found.every(Boolean);
}

/**
 * What signs an edition: the key that the next root names, which where that root could not be signed is the old one, and the key that the
 * root before names, as far as it is at hand: a client in the middle of a refresh, and a start after a crash, go by that one.
 *
 * @throws TufError `repository-malformed`; KeyRingError; StoreError
 */
async function signaturesFor(
  circumstances: Circumstances,
  root: Signed<Root>,
  role: TufRole,
): Promise<readonly PrivateKey[]> {
  const { ring, published } = circumstances;
  const named = keysNamedBy(root, role, ring);
  if (named.length === 0)
    throw new TufError('repository-malformed', `the root names a key for ${role} that this ring never had`);
  const earlier = keysNamedBy(published.roots.at(-1), role, ring).filter((key) => !named.includes(key));
  const usable = await Promise.all(earlier.map((key) => isUsable(circumstances, key)));
  return keysOf(circumstances, [...named, ...earlier.filter((_, index) => usable[index])]);
}

async function isUsable(circumstances: Circumstances, key: RingKey): Promise<boolean> {
  if (key.place === 'offline') return mayUse(circumstances, [key]);
  return circumstances.ring.isAtHand(key);
}

async function keysOf({ ring, offlineKeys }: Circumstances, keys: readonly RingKey[]): Promise<readonly PrivateKey[]> {
  return Promise.all(keys.map((key) => ring.privateKey(key, directoryOf(offlineKeys))));
}

function directoryOf(offlineKeys: string | true | undefined): string | undefined {
  return offlineKeys === true ? undefined : offlineKeys;
}

/** Whether a root names the keys that sign now. */
function namesKeysOf({ metadata }: Signed<Root>, ring: KeyRing): boolean {
  return TUF_ROLES.every((role) => {
    const { keyIDs = [] } = metadata.signed.roles[role] ?? {};
    return keyIDs.length === 1 && keyIDs[0] === tufKeyId(ring.active(`tuf-${role}`).publicKey);
  });
}

/** The keys that a root names for a role, as far as they were ever in the ring. */
function keysNamedBy(root: Signed<Root> | undefined, role: TufRole, ring: KeyRing): readonly RingKey[] {
  const ids = root?.metadata.signed.roles[role]?.keyIDs ?? [];
  return ring.of(`tuf-${role}`).filter(({ publicKey }) => ids.includes(tufKeyId(publicKey)));
}

/** Whether clients that have this root take an edition; its signatures were verified when it was read. */
function isSignedFor(
  root: Signed<Root>,
  role: Exclude<TufRole, 'root'>,
  { metadata }: Signed<Targets | Snapshot | Timestamp>,
): boolean {
  const ids = root.metadata.signed.roles[role]?.keyIDs ?? [];
  return ids.some((id) => metadata.signatures[id] !== undefined);
}

/** Whether published targets are these, with what is said of them. */
function lists({ metadata }: Signed<Targets>, targets: readonly TufTarget[]): boolean {
  const listed = new Map(Object.entries(metadata.signed.targets));
  return (
    listed.size === targets.length &&
    targets.every(({ name, bytes, sigstore }) => {
      const file = listed.get(name);
      return (
        file?.hashes['sha256'] === hash('sha256', bytes, 'hex') &&
        JSON.stringify(sortedEntries(file.custom['sigstore'])) === JSON.stringify(sortedEntries(sigstore))
      );
    })
  );
}

function sortedEntries(fields: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(typeof fields === 'object' && fields !== null ? fields : {}).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
}
