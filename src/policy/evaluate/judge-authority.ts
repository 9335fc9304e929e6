// SPDX-License-Identifier: Apache-2.0
import {
  ImageError,
  nearestRejection,
  type Attestation,
  type Seal,
  type SealDemand,
  type Verdict,
} from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { AttestationResult, AuthorityResult, Cause, Finding } from '../decision.ts';
import { describeExpected } from './describe-expected.ts';
import type { EvidenceShelf } from './evidence-shelf.ts';
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
  readonly now: Date;
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
  const judged = await judgeSeals(authority, bench, async (demand) => {
    const evidence = await bench.shelf.at(authority.source);
    return evidence.signatures(authority.expectation, demand);
  });
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
  const judged = await judgeSeals<Attestation>(authority, bench, async (demand) => {
    const evidence = await bench.shelf.at(authority.source);
    return evidence.attestations(expectation, {
      ...demand,
      async accept(seal) {
        const fault = await demand.accept?.(seal);
        if (fault !== undefined || program === undefined) return fault;
        return bench.programs.refuses(program, seal.envelope.payload);
      },
    });
  });
  return { name, predicateType, ...judged };
}

type Judged<S extends Seal> = Finding & { readonly seals: readonly S[] };

async function judgeSeals<S extends Seal>(
  authority: PreparedSealAuthority,
  { revocations, now }: Bench,
  search: (demand: SealDemand<S>) => Promise<Verdict<S>>,
): Promise<Judged<S>> {
  const { threshold, formats } = authority;
  const demand: SealDemand<S> = {
    accept: async (seal) => sealFault(seal, authority, revocations, now),
    enough: (seals) => countSigners(seals) >= threshold,
    ...(formats === undefined ? {} : { formats }),
  };
  try {
    return findingOf(await search(demand), threshold);
  } catch (error) {
    if (error instanceof ImageError && error.code === 'image-missing')
      return { outcome: 'refused', code: 'image-missing', message: error.message, seals: [] };
    return { ...unknown(causeOf(error)), seals: [] };
  }
}

function findingOf<S extends Seal>(verdict: Verdict<S>, threshold: number): Judged<S> {
  if (verdict.kind === 'undecided') return { ...unknown(causeOf(verdict.cause)), seals: [] };
  if (verdict.kind === 'refused') {
    const { reason, nearest } = verdict;
    return {
      outcome: 'refused',
      code: reason,
      message: REASONS[reason],
      seals: [],
      ...(nearest === undefined ? {} : { nearest }),
    };
  }
  const { seals, places, rejected } = verdict;
  const signers = countSigners(seals);
  if (signers >= threshold) {
    const message = threshold === 1 ? 'sealed by whom the policy expects' : `sealed by ${signers} different signers`;
    return { outcome: 'trusted', code: 'met', message, seals };
  }
  // Some are missing: if not everything could be read, they may be there.
  const failed = places.find((place) => place.outcome === 'failed');
  if (failed !== undefined) return { ...unknown({ code: failed.code, message: failed.message }), seals };
  const nearest = nearestRejection(rejected);
  const message = `sealed by ${signers} of the ${threshold} different signers that are asked for`;
  return { outcome: 'refused', code: 'signers-too-few', message, seals, ...(nearest === undefined ? {} : { nearest }) };
}

const REASONS: Readonly<Record<Extract<Verdict, { kind: 'refused' }>['reason'], string>> = {
  'image-missing': 'there is no such image',
  'nothing-found': 'nothing that could satisfy it lies beside the image',
  'none-accepted': 'something lies beside the image, and nothing of it counts',
  'key-seals-only': 'only seals by keys lie beside the image, and a certificate is expected',
};

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
