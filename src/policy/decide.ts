// SPDX-License-Identifier: Apache-2.0
import type { Seal } from '../image/index.ts';
import { digestOf, isDigest, ReferenceFault, targetOf, type Digest, type Repository } from '../oci/index.ts';
import { canonicalJson, type Json } from '../wire/index.ts';
import type { AuthorityResult, Decision, Finding, PolicyResult } from './decision.ts';
import { EvidenceShelf, type EvidenceCache, type OpenRepository } from './evaluate/evidence-shelf.ts';
import { causeOf, judgeAuthority, notAsked, unknown, type Bench } from './evaluate/judge-authority.ts';
import type { PolicySet, PreparedPolicy } from './evaluate/prepared-policy.ts';
import { ProgramRunner, type KnownAnswers } from './evaluate/program-runner.ts';
import { authorityMatches, type RunContext } from './evaluate/authority-matches.ts';
import { imageName, type ImageName } from './match/image-glob.ts';
import { fetchedFrom, matchingPolicies } from './match/matching-policies.ts';
import type { Resource } from './match/resource-match.ts';

/** An image that is about to run. */
export interface ImageContext extends RunContext {
  /** as it stands in the manifest */
  readonly image: string;
  /** what runs it; absent where that is not known, and then policies with `match` are not about it */
  readonly resource?: Resource;
  /** opens the repository of the image, of a mirror, or one that a policy names */
  readonly open: OpenRepository;
  /** where the image lies, if that is open already: a layout, say */
  readonly repository?: Repository;
  /** what earlier decisions have read; without it nothing is kept */
  readonly evidence?: EvidenceCache;
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
  let image: ImageName;
  try {
    image = imageName(context.image);
  } catch (error) {
    if (!(error instanceof ReferenceFault)) throw error;
    const finding = { outcome: 'refused', code: 'reference-malformed', message: error.message } as const;
    return { ...finding, image: context.image, policies: [], policyHash: hashOf([], set), evidence: [], warnings: [] };
  }
  const matching = matchingPolicies(set, image, context.resource);
  const target = targetOf(image.reference);
  const about = { image: context.image, policyHash: hashOf(matching, set) };
  if (matching.length === 0)
    return { ...about, ...noMatch(set), ...(isDigest(target) ? { digest: target } : {}), policies: [], evidence: [] };
  const at = { repository: fetchedFrom(set.mirrors, image), target };
  const shelf = shelfOf(context, at, matching);
  const known = ANSWERS.get(set) ?? new Map();
  ANSWERS.set(set, known);
  const programs = new ProgramRunner(context.now, known);
  const bench = { shelf, revocations: set.revocations, programs, now: context.now };
  try {
    const policies: PolicyResult[] = [];
    for (const policy of matching) policies.push(await judgePolicy(policy, bench, context));
    // What could not be found out, or is not there yet, is asked again the next time.
    if (policies.some(isPassing)) context.evidence?.forget(at);
    const digest = shelf.known ?? (isDigest(target) ? target : undefined);
    return { ...about, ...conclude(policies), ...(digest === undefined ? {} : { digest }), policies };
  } finally {
    await programs.end();
  }
}

function isPassing({ authorities, outcome, code }: PolicyResult): boolean {
  return outcome === 'undecided' || code === 'image-missing' || authorities.some((one) => one.outcome === 'undecided');
}

function shelfOf(
  { open, evidence, repository }: ImageContext,
  at: { readonly repository: string; readonly target: string },
  matching: readonly PreparedPolicy[],
): EvidenceShelf {
  const image = { ...at, ...(repository === undefined ? {} : { opened: repository }) };
  if (evidence !== undefined) return evidence.shelf(open, image);
  const asked = matching.some(({ authorities }) =>
    authorities.some((authority) => authority.kind !== 'static' && authority.attestations.length > 0),
  );
  return new EvidenceShelf(open, image, asked);
}

// A policy that does not read the clock says the same of the same.
const ANSWERS: WeakMap<PolicySet, KnownAnswers> = new WeakMap();

function hashOf(matching: readonly PreparedPolicy[], { settingsHash }: PolicySet): Digest {
  const policies: Json = matching
    .map(({ name, hash }) => [name, hash])
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return digestOf(new TextEncoder().encode(canonicalJson({ policies, settings: settingsHash })));
}

function noMatch({ noMatch: then }: PolicySet): Finding & Pick<Decision, 'warnings'> {
  const message = 'no policy is about this image';
  const outcome = then === 'deny' ? 'refused' : 'trusted';
  return { outcome, code: 'no-policy-matches', message, warnings: then === 'warn' ? [message] : [] };
}

async function judgePolicy(policy: PreparedPolicy, bench: Bench, context: ImageContext): Promise<PolicyResult> {
  const { name, hash, mode, program } = policy;
  const authorities: AuthorityResult[] = [];
  for (const authority of policy.authorities) {
    const settled = program === undefined && authorities.some(({ outcome }) => outcome === 'trusted');
    authorities.push(settled ? notAsked(authority) : await judgeAuthority(authority, bench));
  }
  const about = { policy: name, hash, mode, authorities };
  const found = fromAuthorities(authorities);
  if (found.outcome !== 'trusted' || program === undefined) return { ...about, ...found };
  // A program sees what is missing too, and what could not be found out is not known to be missing.
  const open = authorities.find(({ outcome }) => outcome === 'undecided');
  if (open?.cause !== undefined) return { ...about, ...unknown(open.cause) };
  try {
    const fault = await bench.programs.refusesMatches(program, authorityMatches(authorities, program, context));
    if (fault === undefined) return { ...about, ...found };
    const message = `the policy over what the authorities found refuses it: ${fault.found}`;
    return { ...about, outcome: 'refused', code: 'program-refused', message };
  } catch (error) {
    return { ...about, ...unknown(causeOf(error)) };
  }
}

function fromAuthorities(authorities: readonly AuthorityResult[]): Finding {
  const passed = authorities.find(({ outcome }) => outcome === 'trusted');
  if (passed !== undefined) return { outcome: 'trusted', code: 'met', message: `${passed.name}: ${passed.message}` };
  const open = authorities.find(({ outcome }) => outcome === 'undecided');
  if (open?.cause !== undefined) return unknown(open.cause);
  const [only, ...others] = authorities;
  if (only !== undefined && (others.length === 0 || only.code === 'image-missing')) {
    const { code, name, message, nearest } = only;
    return { outcome: 'refused', code, message: `${name}: ${message}`, ...(nearest === undefined ? {} : { nearest }) };
  }
  const nearest = authorities.find((one) => one.nearest !== undefined)?.nearest;
  const message = `none of its ${authorities.length} authorities is satisfied`;
  return { outcome: 'refused', code: 'authorities-failed', message, ...(nearest === undefined ? {} : { nearest }) };
}

function conclude(policies: readonly PolicyResult[]): Finding & Pick<Decision, 'evidence' | 'warnings'> {
  const evidence = evidenceOf(policies);
  // A fault of ours is no failure of a policy: it denies, whatever the mode.
  const counts = ({ mode, cause }: PolicyResult): boolean => mode === 'enforce' || cause?.code === 'unexpected';
  const lenient = policies.filter((policy) => !counts(policy) && policy.outcome !== 'trusted');
  const warnings = lenient.map(({ policy, message }) => `${policy}: ${message}`);
  const failing = policies.filter(counts);
  const failed =
    failing.find(({ outcome }) => outcome === 'refused') ?? failing.find(({ outcome }) => outcome === 'undecided');
  if (failed === undefined) return { outcome: 'trusted', code: 'met', message: met(policies), evidence, warnings };
  const { outcome, code, nearest, cause } = failed;
  const message = `${failed.policy}: ${failed.message}`;
  return {
    outcome,
    code: outcome === 'undecided' || code === 'image-missing' ? code : 'policy-failed',
    message,
    evidence,
    warnings,
    ...(nearest === undefined ? {} : { nearest }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function met(policies: readonly PolicyResult[]): string {
  const names = policies.filter(({ outcome }) => outcome === 'trusted').map(({ policy }) => policy);
  return names.length === 0 ? 'policies that only warn are not met' : `meets ${names.join(', ')}`;
}

function evidenceOf(policies: readonly PolicyResult[]): readonly Digest[] {
  const seals: readonly Seal[] = policies.flatMap(({ authorities }) =>
    authorities.flatMap((authority) => [
      ...authority.seals,
      ...authority.attestations.flatMap((attestation) => attestation.seals),
    ]),
  );
  return [...new Set(seals.map(({ place }) => place.layer ?? place.manifest))].toSorted();
}
