// SPDX-License-Identifier: Apache-2.0
import type { Rejection } from '../../image/index.ts';
import { digestHex, repositoryName, type Digest } from '../../oci/index.ts';
import { matchIdentity, printable, type Statement } from '../../trust/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import type { Horizon } from '../evaluate/horizon.ts';
import type { PolicySet, PreparedPolicy, PreparedRevocation } from '../evaluate/prepared-policy.ts';
import { revocationFault, type DatedSeal } from '../evaluate/seal-demand.ts';
import type { ImageName } from '../match/image-glob.ts';
import { readsObject } from '../question.ts';
import { readExtension, resourceUri, timeOf, type ListedSigner, type SummaryExtension } from './summary-statement.ts';

/** What a summary must be about, and what it is judged by. */
export interface SummaryDemand {
  readonly image: ImageName;
  readonly digest: Digest;
  /** the policies that are about the image now */
  readonly matching: readonly PreparedPolicy[];
  readonly policyHash: Digest;
  readonly set: Pick<PolicySet, 'summaries' | 'revocations'>;
  readonly horizon: Horizon;
}

/** A summary that counts. */
export interface SummaryTerms {
  readonly verifier: string;
  readonly timeVerified: Date;
  /** the first moment at which it counts no more */
  readonly validUntil: Date;
}

export type SummaryMiss = Pick<Rejection, 'code' | 'found' | 'expected'>;

/** Clocks of gates differ a little. */
const CLOCK_SKEW = 5 * 60 * 1000;

/**
 * Why a summary that a gate has signed over this digest does not count, or its terms if it does. A refusal never admits, nor does one of other
 * policies, of another repository, of yesterday, or by signers of whom one was revoked since.
 *
 * @see https://slsa.dev/spec/v1.0/verification_summary
 */
export function judgeSummary(statement: Statement, seal: DatedSeal, demand: SummaryDemand): SummaryTerms | SummaryMiss {
  const { predicate } = statement;
  if (!isJsonObject(predicate)) return miss('predicate-malformed', 'no predicate', 'a verification summary');
  const extension = readExtension(predicate);
  return (
    revocationFault(seal, demand.set.revocations, demand.horizon) ??
    subjectFault(predicate, demand) ??
    signersFault(extension, demand) ??
    judgeAge(predicate, extension, demand)
  );
}

type JsonObject = { readonly [name: string]: Json };

function subjectFault(
  predicate: JsonObject,
  { image, digest, matching, policyHash }: SummaryDemand,
): SummaryMiss | undefined {
  const { verificationResult, resourceUri: resource, policy } = predicate;
  if (verificationResult !== 'PASSED')
    return miss('summary-failed', `the result ${shown(verificationResult)}`, 'the result PASSED');
  const wanted = resourceUri(repositoryName(image.reference), digest);
  if (resource !== wanted) return miss('summary-resource', `one about ${shown(resource)}`, `one about ${wanted}`);
  const digests = isJsonObject(policy) ? policy['digest'] : undefined;
  const hash = isJsonObject(digests) ? digests['sha256'] : undefined;
  if (hash !== digestHex(policyHash))
    return miss(
      'summary-policies',
      `policies of the hash ${shown(hash)}`,
      `all that match now: ${digestHex(policyHash)}`,
    );
  const looking = matching.find(readsObject);
  if (looking === undefined) return undefined;
  const found = `a summary, which says nothing of the object that runs the image`;
  return miss('summary-object', found, `the policy ${looking.name} itself, which looks at that object`);
}

function signersFault(
  extension: SummaryExtension | 'unreadable' | undefined,
  { set: { revocations }, horizon }: SummaryDemand,
): SummaryMiss | undefined {
  if (extension === 'unreadable')
    return miss('summary-signers', 'one whose list of who had sealed cannot be read', 'one that is understood');
  if (revocations.length === 0) return undefined;
  if (extension === undefined)
    return miss(
      'summary-signers',
      'a summary that does not list who had sealed',
      'one that does, as somebody is revoked',
    );
  for (const revocation of revocations) {
    const touched = extension.signers.find((signer) => isTouched(signer, revocation, horizon));
    if (touched === undefined) continue;
    const why = revocation.reason === '' ? '' : ` (${printable(revocation.reason, 200)})`;
    const who = printable(touched.identity?.subject ?? `the key ${touched.key}`, 200);
    return miss('signer-revoked', `one that rests on a seal by ${who}, who is revoked${why}`, 'a new decision');
  }
  return undefined;
}

// By the same rule as a seal: only a log or a timestamp authority can say that it was there before.
function isTouched(
  { key, identity, time }: ListedSigner,
  { signer, since }: PreparedRevocation,
  horizon: Horizon,
): boolean {
  const named =
    signer.kind === 'keys'
      ? signer.keys.some(({ hint }) => hint === key)
      : identity !== undefined && matchIdentity(identity, [signer.identity]).kind === 'matched';
  if (!named) return false;
  if (since !== undefined) horizon.reaches(since);
  return since === undefined || time === undefined || time >= since;
}

function judgeAge(
  predicate: JsonObject,
  extension: SummaryExtension | 'unreadable' | undefined,
  { set: { summaries }, horizon }: SummaryDemand,
): SummaryTerms | SummaryMiss {
  const { verifier } = predicate;
  const id = isJsonObject(verifier) ? verifier['id'] : undefined;
  const timeVerified = timeOf(predicate['timeVerified']);
  const until = typeof extension === 'object' ? extension.validUntil?.getTime() : undefined;
  if (timeVerified === undefined || typeof id !== 'string')
    return miss('predicate-malformed', 'no time or verifier', 'a verification summary');
  const { now } = horizon;
  const oldest = timeVerified.getTime() + summaries.maxAge;
  const validUntil = new Date(Math.min(oldest, until ?? oldest));
  horizon.reaches(new Date(timeVerified.getTime() - CLOCK_SKEW));
  if (timeVerified.getTime() > now.getTime() + CLOCK_SKEW)
    return miss(
      'summary-age',
      `one of ${timeVerified.toISOString()}, which is yet to come`,
      `one before ${now.toISOString()}`,
    );
  if (now >= validUntil)
    return miss(
      'summary-age',
      `one that counted until ${validUntil.toISOString()}`,
      `one that counts at ${now.toISOString()}`,
    );
  horizon.reaches(validUntil);
  return { verifier: printable(id, 300), timeVerified, validUntil };
}

function miss(code: SummaryMiss['code'], found: string, expected: string): SummaryMiss {
  return { code, found, expected };
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? `'${printable(value, 200)}'` : 'nothing';
}
