// SPDX-License-Identifier: Apache-2.0
import { repositoryName, type Digest } from '../../oci/index.ts';
import { printable } from '../../trust/index.ts';
import type { AppliedException, ExceptionMiss, ExceptionMissCode } from '../decision.ts';
import type { Horizon } from '../evaluate/horizon.ts';
import type { PolicySet } from '../evaluate/prepared-policy.ts';
import { revocationFault, signerName } from '../evaluate/seal-demand.ts';
import type { ImageName } from '../match/image-glob.ts';
import { ALL_POLICIES } from './exception-statement.ts';
import type { PreparedException } from './prepare-exceptions.ts';

/** Which policies exceptions lift for one digest. */
export interface Exceptions {
  /** by name of the policy: the one that lasts longest */
  readonly lifted: ReadonlyMap<string, AppliedException>;
  /** the one that came closest, of those that lift nothing */
  readonly nearest?: ExceptionMiss;
}

/**
 * Applies the signed exceptions to the policies that are about an image. No request is made.
 *
 * @param digest of the image; without one none applies
 * @param policies names of those that are about it
 */
export function applyExceptions(
  { exceptions, revocations }: Pick<PolicySet, 'exceptions' | 'revocations'>,
  image: ImageName,
  digest: Digest | undefined,
  policies: readonly string[],
  horizon: Horizon,
): Exceptions {
  const lifted = new Map<string, AppliedException>();
  const misses: ExceptionMiss[] = [];
  const about = digest === undefined ? [] : (exceptions.byDigest.get(digest) ?? []);
  for (const exception of about) {
    const miss = missOf(exception, policies, { maxLifetime: exceptions.maxLifetime, revocations, horizon });
    if (miss !== undefined || digest === undefined || !isSigned(exception)) {
      if (miss !== undefined) misses.push({ ...miss, source: exception.source });
      continue;
    }
    const names = policies.filter((name) => liftsPolicy(exception, name));
    const applied = describe(exception, digest, names);
    for (const name of names) {
      const known = lifted.get(name);
      if (known === undefined || known.expires < applied.expires) lifted.set(name, applied);
    }
  }
  if (lifted.size === 0 && misses.length === 0) misses.push(...otherDigests(exceptions.byRepository, image, digest));
  const nearest = misses.toSorted((a, b) => NEAREST_LAST.indexOf(b.code) - NEAREST_LAST.indexOf(a.code))[0];
  return { lifted, ...(nearest === undefined ? {} : { nearest }) };
}

type Signed = PreparedException & { readonly by: Exclude<PreparedException['by'], { readonly code: string }> };

function isSigned(exception: PreparedException): exception is Signed {
  return !('code' in exception.by);
}

function liftsPolicy({ policies }: PreparedException, name: string): boolean {
  return policies.includes(name) || policies.includes(ALL_POLICIES);
}

function describe(exception: Signed, digest: Digest, policies: readonly string[]): AppliedException {
  const { source, statement, reason, approver, by, issued, expires } = exception;
  return { source, statement, digest, policies, reason, approver, signer: signerName(by), issued, expires };
}

function missOf(
  exception: PreparedException,
  policies: readonly string[],
  {
    maxLifetime,
    revocations,
    horizon,
  }: { readonly maxLifetime: number; readonly horizon: Horizon } & Pick<PolicySet, 'revocations'>,
): Omit<ExceptionMiss, 'source'> | undefined {
  const { by, issued, expires } = exception;
  if ('code' in by) return by;
  const revoked = revocationFault(by, revocations, horizon);
  if (revoked !== undefined) return { ...revoked, code: 'exception-signer-revoked' };
  const [days, most] = [expires.getTime() - issued.getTime(), maxLifetime].map(inHours);
  if (expires.getTime() - issued.getTime() > maxLifetime)
    return { code: 'exception-lifetime', found: `one for ${days}`, expected: `at most ${most}` };
  if (!policies.some((name) => liftsPolicy(exception, name))) {
    const found = `one from ${exception.policies.slice(0, 5).join(', ')}`;
    return { code: 'exception-policy', found, expected: `one from ${policies.slice(0, 5).join(', ')}` };
  }
  // each of them may become another answer
  horizon.reaches(issued);
  horizon.reaches(expires);
  const now = horizon.now.toISOString();
  if (horizon.now < issued)
    return {
      code: 'exception-not-yet-valid',
      found: `one from ${issued.toISOString()} on`,
      expected: `one for ${now}`,
    };
  if (horizon.now >= expires)
    return { code: 'exception-expired', found: `one until ${expires.toISOString()}`, expected: `one for ${now}` };
  return undefined;
}

function inHours(milliseconds: number | undefined): string {
  return `${Math.round(((milliseconds ?? 0) / 3_600_000) * 10) / 10} hours`;
}

function otherDigests(
  byRepository: ReadonlyMap<string, readonly PreparedException[]>,
  image: ImageName,
  digest: Digest | undefined,
): readonly ExceptionMiss[] {
  const others = byRepository.get(repositoryName(image.reference)) ?? [];
  return others.slice(0, 1).map(({ source, digests }) => ({
    code: 'exception-digest',
    source,
    found: `one for ${printable(digests[0] ?? '', 100)}`,
    expected: `one for ${digest ?? 'this image, of which the digest is not known'}`,
  }));
}

/** From far to near. */
const NEAREST_LAST: readonly ExceptionMissCode[] = [
  'exception-digest',
  'exception-signer',
  'exception-signer-revoked',
  'exception-policy',
  'exception-lifetime',
  'exception-not-yet-valid',
  'exception-expired',
];
