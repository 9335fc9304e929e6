// SPDX-License-Identifier: Apache-2.0
import { generatePrivateKey, type KeyAlgorithm } from '../../trust/index.ts';
import {
  draftIntermediate,
  draftRoot,
  draftTimestampAuthority,
  wholeSecond,
  type Certifier,
} from './draft-authority.ts';
import { OFFLINE_ROLES, type KeyRole } from './key-role.ts';
import type { KeyDraft, RingSettings } from './ring-key.ts';

/** Roles without certificates, and the kind of key that every client reads there. */
const PLAIN: Readonly<Record<Exclude<KeyRole, 'ca-root' | 'ca' | 'tsa-root' | 'tsa'>, KeyAlgorithm>> = {
  'ct-log': 'ecdsa-p256',
  'log-v1': 'ecdsa-p256',
  'log-v2': 'ed25519',
  'tuf-root': 'ecdsa-p256',
  'tuf-targets': 'ecdsa-p256',
  'tuf-snapshot': 'ecdsa-p256',
  'tuf-timestamp': 'ecdsa-p256',
  // RS256 is the one algorithm that every OpenID Connect client must know, and the one that cosign takes for a token's.
  issuer: 'rsa-2048',
};

/** A role whose keys have no certificate. */
export type PlainRole = keyof typeof PLAIN;

/** A new key without a certificate. @param origin of a log of Rekor v2 */
export async function draftKey(role: PlainRole, settings: RingSettings, now: Date, origin?: string): Promise<KeyDraft> {
  return {
    role,
    created: now,
    validFor: { start: wholeSecond(now) },
    place: settings.offlineRoot && OFFLINE_ROLES.has(role) ? 'offline' : 'ring',
    privateKey: await generatePrivateKey(PLAIN[role]),
    ...(origin === undefined ? {} : { origin }),
  };
}

/** All keys of a stack that begins. @param logOrigin host of the log of Rekor v2 */
export async function draftFirstKeys(
  settings: RingSettings,
  logOrigin: string,
  now: Date,
): Promise<readonly KeyDraft[]> {
  const name = { settings, generation: 1, now };
  const caRoot = await draftRoot('ca-root', name);
  const tsaRoot = await draftRoot('tsa-root', name);
  const plain = (role: PlainRole): Promise<KeyDraft> => draftKey(role, settings, now);
  return [
    caRoot,
    await draftIntermediate(name, certifierOf(caRoot)),
    await plain('ct-log'),
    await plain('log-v1'),
    await draftKey('log-v2', settings, now, logOrigin),
    tsaRoot,
    await draftTimestampAuthority(name, certifierOf(tsaRoot)),
    await plain('tuf-root'),
    await plain('tuf-targets'),
    await plain('tuf-snapshot'),
    await plain('tuf-timestamp'),
    await plain('issuer'),
  ];
}

/** A root that was just made. */
export function certifierOf({ chain, privateKey, role }: KeyDraft): Certifier {
  if (chain === undefined) throw new TypeError(`internal error: a key of the role ${role} certifies nobody`);
  return { chain, privateKey };
}
