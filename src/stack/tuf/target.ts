// SPDX-License-Identifier: Apache-2.0
import {
  encodeCertificates,
  encodePublicKey,
  encodeSigningConfig,
  encodeTrustedRoot,
  type Certificate,
} from '../../trust/index.ts';
import type { KeyRing } from '../key/key-ring.ts';
import type { RingKey } from '../key/ring-key.ts';
import { chainOf, stackSigningConfig, stackTrustedRoot, type StackAddresses } from './stack-trust.ts';

/** A file that a TUF repository vouches for. */
export interface TufTarget {
  /** of letters, digits, `.`, `_` and `-` */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** what cosign 2 goes by, which knows no trusted root */
  readonly sigstore?: {
    readonly usage: 'Fulcio' | 'Rekor' | 'CTFE' | 'TSA';
    readonly status: 'Active' | 'Expired';
    readonly uri: string;
  };
}

/** The targets under which clients of Sigstore look. */
export const TRUSTED_ROOT_NAME = 'trusted_root.json';
export const SIGNING_CONFIG_NAME = 'signing_config.v0.2.json';

/**
 * What a stack publishes: its trusted root and signing config, and each key and certificate by itself for cosign 2.
 *
 * @throws TufError `address-mismatch`
 */
export function stackTargets(ring: Pick<KeyRing, 'of' | 'created'>, addresses: StackAddresses): readonly TufTarget[] {
  return [
    { name: TRUSTED_ROOT_NAME, bytes: encodeTrustedRoot(stackTrustedRoot(ring, addresses)) },
    { name: SIGNING_CONFIG_NAME, bytes: encodeSigningConfig(stackSigningConfig(ring, addresses)) },
    ...keyTargets(ring.of('log-v1'), 'rekor', { usage: 'Rekor', uri: addresses.logV1 }),
    ...keyTargets(ring.of('ct-log'), 'ctfe', { usage: 'CTFE', uri: addresses.certificateLog }),
    ...authorityTargets(ring, addresses),
    ...clockTargets(ring, addresses),
  ];
}

interface Usage {
  readonly usage: 'Fulcio' | 'Rekor' | 'CTFE' | 'TSA';
  readonly uri: string;
}

function keyTargets(keys: readonly RingKey[], stem: string, usage: Usage): readonly TufTarget[] {
  return keys.map((key) => ({
    name: key.state === 'active' ? `${stem}.pub` : `${stem}.${suffix(key)}.pub`,
    bytes: Buffer.from(encodePublicKey(key.publicKey)),
    sigstore: { ...usage, status: statusOf(key) },
  }));
}

function authorityTargets(ring: Pick<KeyRing, 'of'>, addresses: StackAddresses): readonly TufTarget[] {
  const usage: Usage = { usage: 'Fulcio', uri: addresses.certificateAuthority };
  return [
    ...certificateTargets(ring.of('ca-root'), 'fulcio_v1', usage),
    ...certificateTargets(ring.of('ca'), 'fulcio_intermediate_v1', usage),
  ];
}

// cosign 2 looks for one leaf and one root by name. It takes no others, so that timestamps by a retired key are for clients that read
// trusted roots.
function clockTargets(ring: Pick<KeyRing, 'of'>, addresses: StackAddresses): readonly TufTarget[] {
  const usage: Usage = { usage: 'TSA', uri: addresses.timestampAuthority };
  const active = ring.of('tsa').filter(({ state }) => state === 'active');
  const roots = ring.of('tsa-root').filter(({ state }) => state === 'active');
  return [...certificateTargets(active, 'tsa_leaf', usage), ...certificateTargets(roots, 'tsa_root', usage)];
}

function certificateTargets(keys: readonly RingKey[], stem: string, usage: Usage): readonly TufTarget[] {
  return keys.map((key) => {
    const [certificate]: readonly [Certificate, ...Certificate[]] = chainOf(key);
    return {
      name: key.state === 'active' ? `${stem}.crt.pem` : `${stem}.${suffix(key)}.crt.pem`,
      bytes: Buffer.from(encodeCertificates([certificate])),
      sigstore: { ...usage, status: statusOf(key) },
    };
  });
}

function statusOf({ state }: RingKey): 'Active' | 'Expired' {
  return state === 'active' ? 'Active' : 'Expired';
}

/** The end of a key's id. */
function suffix({ id }: RingKey): string {
  return id.slice(-16);
}
