// SPDX-License-Identifier: Apache-2.0
import {
  hostOfLog,
  logIdOf,
  noteKeyHash,
  timestampAuthority,
  type Certificate,
  type Service,
  type SigningConfig,
  type TransparencyLog,
  type TrustedRoot,
} from '../../trust/index.ts';
import { certificateShardPath } from '../certificate-log-shards.ts';
import { KeyRingError } from '../key/key-ring-error.ts';
import type { KeyRing } from '../key/key-ring.ts';
import type { KeyRole } from '../key/key-role.ts';
import type { RingKey } from '../key/ring-key.ts';
import { TufError } from './tuf-error.ts';

/** Where clients reach the services of a stack, for good: what was published is remembered. */
export interface StackAddresses {
  /** base of Fulcio's paths */
  readonly certificateAuthority: string;
  /** base of the certificate log's paths */
  readonly certificateLog: string;
  readonly identityProvider: string;
  /** base of Rekor v1's paths */
  readonly logV1: string;
  /** base of Rekor v2's paths for each shard; its host is the origin, without port and path */
  readonly logV2: (origin: string) => string;
  /** the whole address, as clients post to it */
  readonly timestampAuthority: string;
  /** who runs it all: clients take one service of an operator */
  readonly operator: string;
}

/**
 * Whom clients of this stack believe: every key there ever was, each in its time.
 *
 * @throws TufError `address-mismatch`
 */
export function stackTrustedRoot(ring: Pick<KeyRing, 'of'>, addresses: StackAddresses): TrustedRoot {
  return {
    logs: [
      ...ring.of('log-v1').map(({ publicKey, validFor }) => ({
        baseUrl: addresses.logV1,
        publicKey,
        logId: logIdOf(publicKey),
        validFor,
      })),
      ...ring.of('log-v2').map((key) => shard(key, addresses)),
    ],
    certificateLogs: ring.of('ct-log').map(({ id, state, publicKey, validFor }) => ({
      baseUrl: addresses.certificateLog + (state === 'active' ? '' : certificateShardPath(id)),
      publicKey,
      validFor,
    })),
    certificateAuthorities: ring
      .of('ca')
      .map((key) => ({ chain: chainOf(key), uri: addresses.certificateAuthority, validFor: key.validFor })),
    timestampAuthorities: ring
      .of('tsa')
      .map((key) => timestampAuthority(chainOf(key), { uri: addresses.timestampAuthority, validFor: key.validFor })),
    skipped: [],
  };
}

/**
 * With which services clients of this stack sign: both logs, of which they take the highest version they speak, and the timestamp
 * authority, without which a log of Rekor v2 is of no use to a short-lived certificate.
 *
 * @throws TufError `address-mismatch`
 */
export function stackSigningConfig(ring: Pick<KeyRing, 'of' | 'created'>, addresses: StackAddresses): SigningConfig {
  const { operator } = addresses;
  const start = new Date(Math.floor(ring.created.getTime() / 1000) * 1000);
  const service = (url: string): Service => ({ url, majorApiVersion: 1, validFor: { start }, operator });
  return {
    certificateAuthorities: [service(addresses.certificateAuthority)],
    identityProviders: [service(addresses.identityProvider)],
    logs: [service(addresses.logV1), ...shardServices(ring, addresses)],
    logChoice: { kind: 'any' },
    timestampAuthorities: [service(addresses.timestampAuthority)],
    timestampChoice: { kind: 'any' },
  };
}

// A shard that was replaced at the same address is the same service; one with an address of its own ends with its key.
function shardServices(ring: Pick<KeyRing, 'of'>, addresses: StackAddresses): readonly Service[] {
  const byAddress = new Map<string, Service>();
  for (const key of ring.of('log-v2')) {
    const { baseUrl } = shard(key, addresses);
    const earlier = byAddress.get(baseUrl)?.validFor?.start;
    const { start, end } = key.validFor;
    const validFor = { start: earlier ?? start, ...(key.state === 'active' || end === undefined ? {} : { end }) };
    byAddress.set(baseUrl, { url: baseUrl, majorApiVersion: 2, validFor, operator: addresses.operator });
  }
  return [...byAddress.values()];
}

function shard(key: RingKey, addresses: StackAddresses): TransparencyLog & { readonly baseUrl: string } {
  const { publicKey, validFor, origin = '' } = key;
  const baseUrl = addresses.logV2(origin);
  const host = hostOfLog(baseUrl);
  if (host !== origin)
    throw new TufError(
      'address-mismatch',
      `the log ${origin} is reached at ${baseUrl}, whose host is ${host ?? 'none'}: no client would believe it`,
    );
  return { baseUrl, publicKey, logId: noteKeyHash(origin, publicKey), validFor };
}

/** @throws KeyRingError `ring-malformed` */
export function chainOf({
  id,
  role,
  chain,
}: Pick<RingKey, 'id' | 'chain'> & { readonly role: KeyRole }): readonly [Certificate, ...Certificate[]] {
  if (chain === undefined) throw new KeyRingError('ring-malformed', `the ${role} key ${id} has no certificates`);
  return chain;
}
