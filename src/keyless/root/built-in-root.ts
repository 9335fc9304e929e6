// SPDX-License-Identifier: Apache-2.0
import seeds from '@sigstore/tuf/seeds.json' with { type: 'json' };
import { decodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import type { Mirror } from './mirror-state.ts';

/**
 * Whom the public instance of Sigstore consists of, as the npm package of its own client ships it: taken along when this was built. Load this
 * file only where it is needed.
 */
export interface BuiltInRoot {
  /** the TUF repository from which it can be brought up to date */
  readonly mirror: Mirror;
  /** trusted_root.json */
  readonly trustedRoot: Uint8Array;
  /** of the root of that repository */
  readonly rootVersion: number;
  /** when that root was signed, to the day: how old this is at least */
  readonly signedAt: Date;
}

/** The public instance's TUF repository. */
export const PUBLIC_MIRROR = 'https://tuf-repo-cdn.sigstore.dev';

const DAY_MS = 24 * 60 * 60 * 1000;
/** days that a root lasts at the public instance, where it does not say so itself */
const ROOT_LASTS_DAYS = 197;

/** Reads what was taken along. */
export function builtInRoot(): BuiltInRoot {
  const seed = seeds[PUBLIC_MIRROR];
  const anchor = decodeBase64(seed['root.json'], 'the root that is built in');
  const signed = signedPart(parseJson(anchor, { what: 'the root that is built in' }));
  const { version, expires } = signed;
  const lasts = Number(signed['x-tuf-on-ci-expiry-period'] ?? ROOT_LASTS_DAYS);
  return {
    mirror: { url: new URL(PUBLIC_MIRROR), anchor },
    trustedRoot: decodeBase64(seed.targets['trusted_root.json'], 'the trusted root that is built in'),
    rootVersion: Number(version),
    signedAt: new Date(Date.parse(typeof expires === 'string' ? expires : '') - lasts * DAY_MS),
  };
}

function signedPart(root: Json): { readonly [name: string]: Json } {
  const signed = isJsonObject(root) ? root['signed'] : undefined;
  return isJsonObject(signed) ? signed : {};
}
