// SPDX-License-Identifier: Apache-2.0
import type { Repository } from '../oci/index.ts';
import { ATTESTATION_LIMITS, ATTESTATION_WORKERS } from './attestation-limits.ts';
import { judgeAttestation, type Attestation, type AttestationExpectation } from './judge-attestation.ts';
import { further, weakeningsOf, type FurtherDemand } from './judge.ts';
import { searchEvidence, type VerifyImageOptions } from './search-evidence.ts';
import type { RejectionCode, Verdict } from './verdict.ts';

/** How attestations of an image are looked at, and what is asked of them. */
export interface VerifyAttestationsOptions extends VerifyImageOptions, FurtherDemand<Attestation> {
  /**
   * refuses the image for any one attestation of the kind by whom one expects that is not in its form or that `accept` does not take, as
   * cosign's `--policy` does. Every place is read to its end then, and what could not be read leaves it undecided
   */
  readonly unanimous?: boolean;
}

/** What is said of an attestation of the kind by whom one expects. */
const REFUSALS: ReadonlySet<RejectionCode> = new Set(['predicate-malformed', 'predicate-refused']);

/**
 * Answers "did those whom I expect attest this of the image?" from the union of all its attestations, wherever they lie and in whichever
 * format. The predicate type of each is checked. A signature of the image is no attestation. Never throws: what could not be found out is
 * `undecided`, which must not admit.
 *
 * @param target a tag or a digest of `repository`
 * @example
 * const verdict = await verifyAttestations(repository, 'v1', { signers: { kind: 'keys', keys: [key] }, predicateType: 'https://spdx.dev/Document' });
 * if (verdict.kind === 'trusted') console.log(verdict.seals[0].statement.predicate);
 */
export async function verifyAttestations(
  repository: Repository,
  target: string,
  expectation: AttestationExpectation,
  options: VerifyAttestationsOptions = {},
): Promise<Verdict<Attestation>> {
  const { predicateType } = expectation;
  return searchEvidence(
    repository,
    target,
    {
      sought: { kind: 'attestation', ...(predicateType === undefined ? {} : { predicateType }) },
      judge: async (candidate) => further(await judgeAttestation(candidate, expectation), options),
      isOtherThing: ({ code }) => code === 'not-attestation',
      weakened: weakeningsOf(expectation),
      ...(options.unanimous === true ? { vetoes: ({ code }) => REFUSALS.has(code) } : {}),
    },
    {
      ...options,
      limits: { ...ATTESTATION_LIMITS, ...options.limits },
      maxWorkers: Math.min(options.maxWorkers ?? ATTESTATION_WORKERS, ATTESTATION_WORKERS),
    },
  );
}
