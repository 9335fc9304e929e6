// SPDX-License-Identifier: Apache-2.0
import type { Seal, SealDemand } from '../../image/index.ts';
import { certificateKey, matchIdentity } from '../../trust/index.ts';
import type { SignerName } from '../decision.ts';
import type { Horizon } from './horizon.ts';
import type { PreparedRevocation, PreparedSealAuthority } from './prepared-policy.ts';

type Fault = Awaited<ReturnType<NonNullable<SealDemand['accept']>>>;

/** What tells a signer from another: the hash of a key, or issuer and subject. Certificates come and go. */
export function signerName({ signer }: Pick<Seal, 'signer'>): SignerName {
  if (signer.kind === 'key') return { kind: 'key', key: signer.key.hint };
  const { subject, claims } = signer.identity;
  return { kind: 'identity', issuer: claims.issuer ?? null, subject };
}

/** A seal as far as its age and its signer go. */
export type DatedSeal = Pick<Seal, 'signer' | 'evidence'>;

/** How many different people or machines made these seals. */
export function countSigners(seals: readonly Pick<Seal, 'signer'>[]): number {
  return new Set(seals.map((seal) => JSON.stringify(personOf(seal)))).size;
}

// An identity provider that keeps an address as it was typed has not made two people of one.
function personOf({ signer }: Pick<Seal, 'signer'>): SignerName {
  const name = signerName({ signer });
  if (name.kind === 'key' || signer.kind === 'key' || signer.identity.kind !== 'email') return name;
  return { ...name, subject: name.subject.toLowerCase() };
}

/**
 * When a seal was there already, by the word of a log or a timestamp authority: the earliest time that one of them has signed, since anybody
 * can have an old seal stamped anew. `undefined` where nobody who is believed has said so.
 */
export function sealTime({ evidence }: Pick<Seal, 'evidence'>): Date | undefined {
  const logged = evidence?.logEntries.flatMap(({ integratedTime }) => integratedTime ?? []) ?? [];
  const stamped = evidence?.timestamps.map(({ time }) => time) ?? [];
  const times = [...logged, ...stamped].map((time) => time.getTime());
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

/** Why a seal by whom one expects does not count all the same. */
export function sealFault(
  seal: Seal,
  { hashAlgorithm, maxAge }: Pick<PreparedSealAuthority, 'hashAlgorithm' | 'maxAge'>,
  revocations: readonly PreparedRevocation[],
  horizon: Horizon,
): Fault {
  return (
    hashFault(seal, hashAlgorithm) ?? ageFault(seal, maxAge, horizon) ?? revocationFault(seal, revocations, horizon)
  );
}

function hashFault({ scheme }: Seal, wanted: PreparedSealAuthority['hashAlgorithm']): Fault {
  // Ed25519 has its hash in it.
  if (wanted === undefined || scheme.startsWith('ed25519') || scheme.endsWith(`-${wanted}`)) return undefined;
  return { code: 'hash-mismatch', found: `a signature of the kind ${scheme}`, expected: `one with ${wanted}` };
}

function ageFault(seal: Seal, maxAge: number | undefined, horizon: Horizon): Fault {
  if (maxAge === undefined) return undefined;
  const time = sealTime(seal);
  const since = new Date(horizon.now.getTime() - maxAge);
  if (time === undefined) return undated(`a seal of ${since.toISOString()} or later`);
  // at that age it still counts, and a millisecond later it does not
  if (time >= since) {
    horizon.reaches(new Date(time.getTime() + maxAge + 1));
    return undefined;
  }
  const found = `a seal that was made before ${time.toISOString()}`;
  return { code: 'seal-too-old', found, expected: `one of ${since.toISOString()} or later` };
}

/** Why a revocation touches this seal: only a log or a timestamp authority can say that it was there before. */
export function revocationFault(seal: DatedSeal, revocations: readonly PreparedRevocation[], horizon: Horizon): Fault {
  for (const { signer, since, reason } of revocations) {
    if (!isRevoked(seal, signer)) continue;
    if (since !== undefined) horizon.reaches(since);
    const why = reason === '' ? '' : ` (${reason})`;
    const time = sealTime(seal);
    if (since === undefined)
      return { code: 'signer-revoked', found: `a seal by a revoked signer${why}`, expected: 'another signer' };
    if (time === undefined)
      return {
        code: 'signer-revoked',
        found: `a seal without a time, by a signer who is revoked since ${since.toISOString()}${why}`,
        expected: 'a log or a timestamp authority that saw it before that',
      };
    if (time >= since)
      return {
        code: 'signer-revoked',
        found: `a seal of ${time.toISOString()}, by a signer who is revoked since ${since.toISOString()}${why}`,
        expected: 'one from before that, or another signer',
      };
  }
  return undefined;
}

function isRevoked({ signer }: DatedSeal, revoked: PreparedRevocation['signer']): boolean {
  if (revoked.kind === 'keys') {
    // a lost key is no better for a certificate that names it
    const key = signer.kind === 'key' ? signer.key : certificateKey(signer.certificate, 'the certificate');
    return revoked.keys.some(({ hint }) => hint === key.hint);
  }
  return signer.kind === 'identity' && matchIdentity(signer.identity, [revoked.identity]).kind === 'matched';
}

function undated(expected: string): Fault {
  return { code: 'seal-undated', found: 'no log and no timestamp authority says when it was made', expected };
}
