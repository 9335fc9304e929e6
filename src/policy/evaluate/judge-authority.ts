// SPDX-License-Identifier: Apache-2.0
import {
  ImageError,
  nearestRejection,
  type Attestation,
  type GatheredEvidence,
  type Seal,
  type SealDemand,
  type Verdict,
} from '../../image/index.ts';
import type { Digest } from '../../oci/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { AttestationResult, AuthorityResult, Cause, Finding } from '../decision.ts';
import { describeExpected } from './describe-expected.ts';
import type { EvidenceShelf } from './evidence-shelf.ts';
import type { Horizon } from './horizon.ts';
import type { IndexedPlatform } from './index-platforms.ts';
import { mergeVerdicts, type MergedVerdict } from './merge-verdicts.ts';
import type {
  PreparedAttestation,
  PreparedAuthority,
  PreparedRevocation,
  PreparedSealAuthority,
} from './prepared-policy.ts';
import { countSigners, sealFault } from './seal-demand.ts';
import type { ProgramRunner } from './program-runner.ts';

/** What every authority of a decision is judged with. */
export interface Bench {
  readonly shelf: EvidenceShelf;
  readonly revocations: readonly PreparedRevocation[];
  readonly programs: ProgramRunner;
  readonly horizon: Horizon;
  /** the evidence that was read, whether it counted or not */
  readonly read: Set<Digest>;
  /** of an index: what is judged then is what lies beside it and beside those that list it */
  readonly platform?: IndexedPlatform;
}

/** Whether an authority is satisfied by what lies beside the image. */
export async function judgeAuthority(authority: PreparedAuthority, bench: Bench): Promise<AuthorityResult> {
  const { name, kind } = authority;
  const about = { name, kind, expected: describeExpected(authority) };
  const none = { seals: [], attestations: [] };
  if (authority.kind === 'static') {
    const passes = authority.action === 'pass';
    const message = authority.message ?? `the policy ${passes ? 'lets everything pass' : 'lets nothing pass'}`;
    const code = passes ? 'static-pass' : 'static-fail';
    return { ...about, ...none, outcome: passes ? 'trusted' : 'refused', code, message };
  }
  if (authority.attestations.length > 0) return { ...about, ...(await judgeAttestations(authority, bench)), seals: [] };
  const judged = await judgeSeals(authority, bench, async (evidence, demand) =>
    evidence.signatures(authority.expectation, demand),
  );
  return { ...about, ...judged, attestations: [] };
}

/** An authority that was not needed. */
export function notAsked(authority: PreparedAuthority): AuthorityResult {
  const { name, kind } = authority;
  const message = 'not asked: another authority satisfies the policy';
  const expected = describeExpected(authority);
  return { name, kind, outcome: 'not-asked', code: 'not-asked', message, seals: [], attestations: [], expected };
}

async function judgeAttestations(
  authority: PreparedSealAuthority,
  bench: Bench,
): Promise<Finding & { readonly attestations: readonly AttestationResult[] }> {
  const attestations: AttestationResult[] = [];
  for (const wanted of authority.attestations) attestations.push(await judgeAttestation(authority, wanted, bench));
  const failed =
    attestations.find(({ outcome }) => outcome === 'refused') ??
    attestations.find(({ outcome }) => outcome === 'undecided');
  if (failed === undefined) {
    const names = attestations.map(({ name }) => name).join(', ');
    return { outcome: 'trusted', code: 'met', message: `attested: ${names}`, attestations };
  }
  const { outcome, nearest, cause } = failed;
  return {
    outcome,
    code: outcome === 'refused' ? (failed.code === 'image-missing' ? failed.code : 'attestation-failed') : 'unknown',
    message: `${failed.name}: ${failed.message}`,
    attestations,
    ...(nearest === undefined ? {} : { nearest }),
    ...(cause === undefined ? {} : { cause }),
  };
}

async function judgeAttestation(
  authority: PreparedSealAuthority,
  { name, predicateType, program, expectation }: PreparedAttestation,
  bench: Bench,
): Promise<AttestationResult> {
  const judged = await judgeSeals<Attestation>(authority, bench, async (evidence, demand) =>
    evidence.attestations(expectation, {
      ...demand,
      async accept(seal) {
        const fault = await demand.accept?.(seal);
        if (fault !== undefined || program === undefined) return fault;
        bench.horizon.evaluated(program);
        return bench.programs.refuses(program, seal.envelope.payload);
      },
    }),
  );
  return { name, predicateType, ...judged };
}

type Judged<S extends Seal> = Finding & { readonly seals: readonly S[] };

async function judgeSeals<S extends Seal>(
  authority: PreparedSealAuthority,
  bench: Bench,
  search: (evidence: GatheredEvidence, demand: SealDemand<S>) => Promise<Verdict<S>>,
): Promise<Judged<S>> {
  const { threshold, formats } = authority;
  const { revocations, horizon, read } = bench;
  const verdicts: Verdict<S>[] = [];
  const seals: S[] = [];
  try {
    for (const evidence of gathered(authority, bench)) {
      const verdict = await search(await evidence, {
        accept: async (seal) => sealFault(seal, authority, revocations, horizon),
        enough: (more) => countSigners([...seals, ...more]) >= threshold,
        ...(formats === undefined ? {} : { formats }),
      });
      verdicts.push(verdict);
      if (verdict.kind === 'trusted') seals.push(...verdict.seals);
      noteRead(read, verdict);
      if (countSigners(seals) >= threshold) break;
    }
    return findingOf(mergeVerdicts(verdicts), threshold);
  } catch (error) {
    if (error instanceof ImageError && error.code === 'image-missing')
      return { outcome: 'refused', code: 'image-missing', message: error.message, seals: [] };
    return { ...unknown(causeOf(error)), seals: [] };
  }
}

// What lies beside an index counts for each platform that it lists; it was read before.
function* gathered(
  { source }: PreparedSealAuthority,
  { shelf, platform }: Bench,
): Generator<Promise<GatheredEvidence>> {
  yield shelf.at(source);
  if (platform !== undefined)
    for (const digest of [...platform.within, platform.digest]) yield shelf.at(source, digest);
}

function findingOf<S extends Seal>(verdict: MergedVerdict<S>, threshold: number): Judged<S> {
  const { seals, cause, reason, rejected } = verdict;
  const signers = countSigners(seals);
  if (signers >= threshold) {
    const message = threshold === 1 ? 'sealed by whom the policy expects' : `sealed by ${signers} different signers`;
    return { outcome: 'trusted', code: 'met', message, seals };
  }
  // Some are missing: if not everything could be read, they may be there.
  if (cause !== undefined) return { ...unknown(cause), seals };
  const nearest = nearestRejection(rejected);
  const about = { outcome: 'refused', seals, ...(nearest === undefined ? {} : { nearest }) } as const;
  if (seals.length === 0) return { ...about, code: reason, message: REASONS[reason] };
  const message = `sealed by ${signers} of the ${threshold} different signers that are asked for`;
  return { ...about, code: 'signers-too-few', message };
}

const REASONS: Readonly<Record<MergedVerdict['reason'], string>> = {
  'image-missing': 'there is no such image',
  'nothing-found': 'nothing that could satisfy it lies beside the image',
  'none-accepted': 'something lies beside the image, and nothing of it counts',
  'key-seals-only': 'only seals by keys lie beside the image, and a certificate is expected',
};

/** All that was looked at, whether it counted or not. */
export function noteRead(read: Set<Digest>, verdict: Verdict): void {
  for (const { place } of [...verdict.rejected, ...(verdict.kind === 'trusted' ? verdict.seals : [])]) {
    read.add(place.manifest);
    if (place.layer !== undefined) read.add(place.layer);
  }
}

/** Something that could not be found out. */
export function unknown(cause: Cause): Finding {
  return { outcome: 'undecided', code: 'unknown', message: `it could not be found out: ${cause.message}`, cause };
}

export function causeOf(error: unknown): Cause {
  if (error instanceof CodedError) return { code: error.code, message: error.message };
  // A fault of ours must not admit either.
  return {
    code: 'unexpected',
    message: `unexpected failure: ${error instanceof Error ? error.message : String(error)}`,
  };
}
