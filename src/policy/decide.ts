// SPDX-License-Identifier: Apache-2.0
import type { SealChecks } from '../image/index.ts';
import { isDigest, ReferenceFault, targetOf, type Repository } from '../oci/index.ts';
import type { Decision, Finding } from './decision.ts';
import {
  EvidenceShelf,
  type EvidenceCache,
  type OpenRepository,
  type ShelvedImage,
} from './evaluate/evidence-shelf.ts';
import { Horizon } from './evaluate/horizon.ts';
import { causeOf, unknown, type Bench } from './evaluate/judge-authority.ts';
import type { PolicySet, PreparedPolicy } from './evaluate/prepared-policy.ts';
import { ProgramRunner, type KnownAnswers } from './evaluate/program-runner.ts';
import { nameByDigest, policiesOfDigests } from './match/digest-globs.ts';
import { imageName, type ImageName } from './match/image-glob.ts';
import { fetchedFrom, matchingPolicies } from './match/matching-policies.ts';
import { completeInputs, inputsOfNothing, knownInputs, type Question } from './question.ts';
import { reach } from './reach-decision.ts';
import type { SummarySource } from './vsa/find-summary.ts';

/** An image that is about to run. */
export interface ImageContext extends Question {
  /** opens the repository of the image, of a mirror, or one that a policy names */
  readonly open: OpenRepository;
  /** where the image lies, if that is open already: a layout, say */
  readonly repository?: Repository;
  /** what earlier decisions have read; without it nothing is kept */
  readonly evidence?: EvidenceCache;
  /** what verifying seals gave in earlier decisions; without `evidence` alone, which has its own memory */
  readonly checks?: SealChecks;
  /** the digest is known to be that of one platform: it is not looked whether it is an index, which saves a request before a refusal */
  readonly onePlatform?: boolean;
  /**
   * Verification summaries that are kept elsewhere than beside the image: they need no registry. `ignore` decides by the policies alone,
   * whatever the settings say of summaries: for who makes one.
   */
  readonly summaries?: SummarySource | 'ignore';
  readonly now: Date;
}

/**
 * Whether an image may run: every policy that is about it must be met, by one of its authorities each. Its evidence is read once, as far as it
 * is needed, for all of them. The same policies, image and evidence give the same decision. Never throws; what could not be found out is
 * `undecided`, which must not admit.
 *
 * @example
 * const policies = await loadPolicies(files, { fallback: trustedRoot });
 * const decision = await decide({ image: 'ghcr.io/acme/app:1', open, now: new Date() }, policies);
 * if (decision.outcome !== 'trusted') console.error(decision.code, decision.message);
 */
export async function decide(context: ImageContext, set: PolicySet): Promise<Decision> {
  try {
    return await decideOn(context, imageName(context.image), set);
  } catch (error) {
    const finding =
      error instanceof ReferenceFault
        ? ({ outcome: 'refused', code: 'reference-malformed', message: error.message } as const)
        : unknown(causeOf(error));
    return ofNothing(context.image, finding, set);
  }
}

async function decideOn(context: ImageContext, image: ImageName, set: PolicySet): Promise<Decision> {
  const target = targetOf(image.reference);
  const named = isDigest(target) ? target : undefined;
  const at = { repository: fetchedFrom(set.mirrors, image), target };
  const byName = matchingPolicies(set, image, context.resource);
  const ofDigests = named === undefined ? policiesOfDigests(set, image, context.resource) : [];
  const shelf = shelfOf(context, at, [...byName, ...ofDigests]);
  const matching =
    ofDigests.length === 0 ? byName : unite(set, byName, await byDigest({ context, image, set, shelf, at }));
  const known = knownInputs(image, matching, context, set);
  if (matching.length === 0) {
    const found = shelf.known ?? named;
    const digest = found === undefined ? {} : { digest: found };
    const about = { image: context.image, policyHash: known.policyHash, inputs: completeInputs(known, found, []) };
    return { ...about, ...noMatch(set), ...digest, policies: [], evidence: [], exceptions: [], readsClock: false };
  }
  const answers = ANSWERS.get(set) ?? new Map();
  ANSWERS.set(set, answers);
  const horizon = new Horizon(context.now);
  const programs = new ProgramRunner(context.now, answers);
  const bench: Bench = { shelf, revocations: set.revocations, programs, horizon, read: new Set() };
  try {
    const { asksAgain, ...reached } = await reach({ context, set, image, matching, known, named, bench });
    // What could not be found out, or is not there yet, is asked again the next time.
    if (asksAgain) context.evidence?.forget(at);
    const digest = shelf.known ?? named;
    const { until, readsClock } = horizon;
    return {
      image: context.image,
      policyHash: known.policyHash,
      ...reached,
      warnings: [...reached.warnings, ...programs.warnings],
      ...(digest === undefined ? {} : { digest }),
      inputs: completeInputs(known, digest, bench.read),
      ...(until === undefined ? {} : { validUntil: until }),
      readsClock,
    };
  } finally {
    await programs.end();
  }
}

/** The policies that are about the image by its digest, which is looked up. @throws as the registry; ImageError `image-missing` */
async function byDigest({
  context,
  image,
  set,
  shelf,
  at,
}: {
  readonly context: ImageContext;
  readonly image: ImageName;
  readonly set: PolicySet;
  readonly shelf: EvidenceShelf;
  readonly at: ShelvedImage;
}): Promise<readonly PreparedPolicy[]> {
  try {
    return matchingPolicies(set, nameByDigest(image, await shelf.digest()), context.resource);
  } catch (error) {
    context.evidence?.forget(at);
    throw error;
  }
}

/** In the order of the set. */
function unite({ policies }: PolicySet, ...found: readonly (readonly PreparedPolicy[])[]): readonly PreparedPolicy[] {
  return policies.filter((policy) => found.some((some) => some.includes(policy)));
}

function ofNothing(written: string, finding: Finding, set: PolicySet): Decision {
  const inputs = inputsOfNothing(written, set);
  const nothing = { policies: [], evidence: [], warnings: [], exceptions: [], readsClock: false };
  return { ...finding, ...nothing, image: written, policyHash: inputs.policyHash, inputs };
}

function shelfOf(
  { open, evidence, repository, checks }: ImageContext,
  at: { readonly repository: string; readonly target: string },
  matching: readonly PreparedPolicy[],
): EvidenceShelf {
  const image = { ...at, ...(repository === undefined ? {} : { opened: repository }) };
  if (evidence !== undefined) return evidence.shelf(open, image);
  const asked = matching.some(({ authorities }) =>
    authorities.some((authority) => authority.kind !== 'static' && authority.attestations.length > 0),
  );
  return new EvidenceShelf(open, image, asked, checks);
}

// A policy that does not read the clock says the same of the same.
const ANSWERS: WeakMap<PolicySet, KnownAnswers> = new WeakMap();

function noMatch({ noMatch: then }: PolicySet): Finding & Pick<Decision, 'warnings'> {
  const message = 'no policy is about this image';
  const outcome = then === 'deny' ? 'refused' : 'trusted';
  return { outcome, code: 'no-policy-matches', message, warnings: then === 'warn' ? [message] : [] };
}
