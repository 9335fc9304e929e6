// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest, type Repository } from '../oci/index.ts';
import { ATTESTATION_LIMITS, ATTESTATION_WORKERS } from './attestation-limits.ts';
import { EvidenceMemory, RememberedRepository } from './evidence-memory.ts';
import { EVIDENCE_LIMITS, type EvidenceLimits } from './finding.ts';
import { judgeAttestation, type Attestation, type AttestationExpectation } from './judge-attestation.ts';
import { further, judge, weakeningsOf, type Expectation, type FurtherDemand, type Judgement } from './judge.ts';
import type { SealChecks } from './seal-checks.ts';
import { searchEvidence } from './search-evidence.ts';
import type { Seal, SealFormat, Verdict } from './verdict.ts';

/** Where the evidence lies, and how much of it is read. */
export interface GatherOptions {
  /** where the seals lie, if not beside the image */
  readonly evidence?: Repository;
  readonly tagPrefix?: string;
  /** attestations will be asked for as well, which may be as large as an SBOM */
  readonly attestations?: boolean;
  readonly limits?: Partial<EvidenceLimits>;
  /** what verifying other images gave; kept for this one alone unless told */
  readonly checks?: SealChecks;
}

/** What is asked of a seal beyond its signer, and how many of them are wanted. */
export interface SealDemand<S extends Seal = Seal> extends FurtherDemand<S> {
  readonly formats?: readonly SealFormat[];
  /** whether these seals are enough; one is, unless told. Where there are fewer the verdict is `trusted` all the same: count them */
  enough?(seals: readonly S[]): boolean;
}

/**
 * The evidence of one image, read as it is needed and never twice, to be judged by any number of expectations: the number of requests does
 * not depend on how many there are. A tag is resolved once. What judging gave is kept for the object that is the expectation.
 *
 * @example
 * const evidence = new GatheredEvidence(repository, 'v1');
 * const [byUs, byThem] = [await evidence.signatures(us), await evidence.signatures(them)];
 */
export class GatheredEvidence {
  readonly #repository: Repository;
  readonly #target: string;
  readonly #evidence: Repository;
  readonly #options: GatherOptions;
  readonly #memory: EvidenceMemory = new EvidenceMemory();
  readonly #limits: EvidenceLimits;

  constructor(repository: Repository, target: string, options: GatherOptions = {}) {
    this.#repository = new RememberedRepository(repository);
    this.#evidence = options.evidence === undefined ? this.#repository : new RememberedRepository(options.evidence);
    this.#target = target;
    this.#options = options;
    this.#limits = { ...(options.attestations === true ? ATTESTATION_LIMITS : EVIDENCE_LIMITS), ...options.limits };
  }

  /** The digest that is looked at; `undefined` where there is no such tag. @throws RegistryError where that cannot be found out */
  async digest(): Promise<Digest | undefined> {
    return isDigest(this.#target) ? this.#target : (await this.#repository.resolve(this.#target))?.digest;
  }

  /** As `verifyImage`. */
  async signatures(expectation: Expectation, demand: SealDemand = {}): Promise<Verdict> {
    return searchEvidence(
      this.#repository,
      this.#target,
      {
        sought: { kind: 'signature' },
        judge: async (candidate, digest) => {
          const check = (): Promise<Judgement> => judge(candidate, digest, expectation, this.#options.checks);
          return further(await this.#memory.judged(candidate, expectation, check), demand);
        },
        isOtherThing: ({ code }) => code === 'predicate-type-mismatch',
        weakened: weakeningsOf(expectation),
        enough: (seals) => demand.enough?.(seals) ?? true,
      },
      this.#search(demand),
    );
  }

  /** As `verifyAttestations`. */
  async attestations(
    expectation: AttestationExpectation,
    demand: SealDemand<Attestation> = {},
  ): Promise<Verdict<Attestation>> {
    const { predicateType } = expectation;
    return searchEvidence(
      this.#repository,
      this.#target,
      {
        sought: { kind: 'attestation', ...(predicateType === undefined ? {} : { predicateType }) },
        judge: async (candidate) => {
          const check = (): Promise<Judgement<Attestation>> =>
            judgeAttestation(candidate, expectation, this.#options.checks);
          return further(await this.#memory.judged(candidate, expectation, check), demand);
        },
        isOtherThing: ({ code }) => code === 'not-attestation',
        weakened: weakeningsOf(expectation),
        enough: (seals) => demand.enough?.(seals) ?? true,
      },
      { ...this.#search(demand), maxWorkers: ATTESTATION_WORKERS },
    );
  }

  #search({ formats }: Pick<SealDemand, 'formats'>): Parameters<typeof searchEvidence>[3] {
    const { tagPrefix } = this.#options;
    return {
      evidence: this.#evidence,
      limits: this.#limits,
      memory: this.#memory,
      ...(formats === undefined ? {} : { formats }),
      ...(tagPrefix === undefined ? {} : { tagPrefix }),
    };
  }
}
