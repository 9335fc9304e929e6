// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';
import { conclude, concludeBySummary, excepted } from './conclude.ts';
import { judgedAuthorities } from './counted-seals.ts';
import type { ImageContext } from './decide.ts';
import type { Decision, PolicyResult } from './decision.ts';
import { causeOf, unknown, type Bench } from './evaluate/judge-authority.ts';
import { judgePolicy } from './evaluate/judge-policy.ts';
import type { PolicySet, PreparedPolicy } from './evaluate/prepared-policy.ts';
import { applyExceptions, type Exceptions } from './exception/apply-exceptions.ts';
import type { ImageName } from './match/image-glob.ts';
import type { KnownInputs } from './question.ts';
import { findAttachedSummary, findGivenSummary, type SummarySearch } from './vsa/find-summary.ts';
import type { SummaryDemand } from './vsa/summary-fault.ts';

/** All that a decision is come to by. */
export interface Case {
  readonly context: ImageContext;
  readonly set: PolicySet;
  readonly image: ImageName;
  readonly matching: readonly PreparedPolicy[];
  readonly known: KnownInputs;
  /** the digest, where the image is named by it */
  readonly named: Digest | undefined;
  readonly bench: Bench;
}

/** A decision without what is known of the question. */
export type Reached = Omit<Decision, 'image' | 'digest' | 'policyHash' | 'inputs' | 'validUntil' | 'readsClock'> & {
  /** something is not known, or not there yet: the next decision asks for it anew */
  readonly asksAgain: boolean;
};

// How a decision is come to, in this order:
//
// 1. a summary that is at hand, then signed exceptions: neither needs a registry, if the image is named by its digest
// 2. where a summary is demanded, those beside the image, and nothing else
// 3. the policies that no exception lifts
// 4. where they are not met, the summaries beside the image
export async function reach(given: Case): Promise<Reached> {
  const { context, set, image, matching, bench } = given;
  const summaries = context.summaries !== 'ignore' && set.gates.length > 0;
  const digest = await knownDigest(given, summaries);
  const demand = digest === undefined || !summaries ? undefined : demandOf(given, digest);
  const first = await givenSummary(given, demand);
  if (first.accepted !== undefined) return bySummary(first, []);
  const names = matching.map(({ name }) => name);
  const exceptions = applyExceptions(set, image, digest, names, bench.horizon);
  const applied = [...new Set(exceptions.lifted.values())];
  if (summaries && set.summaries.demand && exceptions.lifted.size < matching.length) {
    const attached = demand === undefined ? {} : await findAttachedSummary(bench, set.gates, demand);
    if (attached.accepted !== undefined) return bySummary(attached, []);
    return withoutSummary(first, attached, exceptions, bench);
  }
  const policies: PolicyResult[] = [];
  for (const policy of matching) {
    const exception = exceptions.lifted.get(policy.name);
    policies.push(exception === undefined ? await judgePolicy(policy, bench, context) : excepted(policy, exception));
  }
  const concluded = conclude(policies, applied);
  const asksAgain = policies.some(isPassing);
  if (concluded.outcome === 'trusted') return { ...concluded, policies, exceptions: applied, asksAgain };
  const attached = demand === undefined ? {} : await findAttachedSummary(bench, set.gates, demand);
  if (attached.accepted !== undefined) return { ...bySummary(attached, policies), asksAgain };
  const nearest = { ...nearestSummary(attached, first), ...nearestException(exceptions) };
  const reached = { ...concluded, ...nearest, policies, exceptions: applied };
  // A summary that could not be looked at might have admitted it: that is no refusal to hold on to.
  const cause = attached.cause ?? first.cause;
  return concluded.outcome === 'refused' && concluded.code !== 'image-missing' && cause !== undefined
    ? { ...reached, ...unknown(cause), asksAgain: true }
    : { ...reached, asksAgain };
}

function demandOf({ set, image, matching, known, bench }: Case, digest: Digest): SummaryDemand {
  return { image, digest, matching, policyHash: known.policyHash, set, horizon: bench.horizon };
}

// A tag is resolved first only where something depends on the digest. Asked again it fails again without a request.
async function knownDigest({ set, named, bench }: Case, summaries: boolean): Promise<Digest | undefined> {
  if (named !== undefined || (!summaries && set.exceptions.byDigest.size === 0)) return named;
  return bench.shelf.digest().catch(() => undefined);
}

async function givenSummary({ context, set, bench }: Case, demand: SummaryDemand | undefined): Promise<SummarySearch> {
  const { summaries } = context;
  if (demand === undefined || summaries === undefined || summaries === 'ignore') return {};
  return findGivenSummary(summaries, bench, set.gates, demand);
}

function bySummary({ accepted }: SummarySearch, policies: readonly PolicyResult[]): Reached {
  if (accepted === undefined) throw new TypeError('no summary was accepted');
  return { ...concludeBySummary(accepted), summary: accepted, policies, exceptions: [], asksAgain: false };
}

async function withoutSummary(
  given: SummarySearch,
  attached: Awaited<ReturnType<typeof findAttachedSummary>>,
  exceptions: Exceptions,
  { shelf }: Bench,
): Promise<Reached> {
  const near = { ...nearestSummary(attached, given), ...nearestException(exceptions) };
  const about = { policies: [], evidence: [], warnings: [], exceptions: [], ...near };
  const unresolved = await shelf.digest().then(() => undefined, causeOf);
  const cause = unresolved ?? attached.cause ?? given.cause;
  if (cause?.code === 'image-missing')
    return { ...about, outcome: 'refused', code: 'image-missing', message: cause.message, asksAgain: true };
  if (cause !== undefined) return { ...about, ...unknown(cause), asksAgain: true };
  const message = 'a verification summary by a gate is demanded, and none counts';
  const closest = attached.rejection === undefined ? {} : { nearest: attached.rejection };
  return { ...about, ...closest, outcome: 'refused', code: 'summary-missing', message, asksAgain: false };
}

function nearestSummary(...searches: readonly SummarySearch[]): Pick<Decision, 'nearestSummary'> {
  const nearest = searches.find((search) => search.nearest !== undefined)?.nearest;
  return nearest === undefined ? {} : { nearestSummary: nearest };
}

function nearestException({ nearest }: Exceptions): Pick<Decision, 'nearestException'> {
  return nearest === undefined ? {} : { nearestException: nearest };
}

function isPassing(policy: PolicyResult): boolean {
  const { outcome, code } = policy;
  if (outcome === 'undecided' || code === 'image-missing') return true;
  return judgedAuthorities(policy).some((one) => one.outcome === 'undecided');
}
