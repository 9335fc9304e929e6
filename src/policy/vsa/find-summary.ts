// SPDX-License-Identifier: Apache-2.0
import type { Rejection } from '../../image/index.ts';
import { digestAlgorithm, digestHex, type Digest } from '../../oci/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { AcceptedSummary, Cause } from '../decision.ts';
import { causeOf, noteRead, type Bench } from '../evaluate/judge-authority.ts';
import type { PreparedGate } from '../evaluate/prepared-policy.ts';
import { signerName } from '../evaluate/seal-demand.ts';
import { openSealedStatement } from '../sealed-statement.ts';
import { judgeSummary, type SummaryDemand, type SummaryMiss } from './summary-fault.ts';
import { SUMMARY_PREDICATE_TYPE } from './summary-statement.ts';

/** What came of looking for a summary by which an image may be admitted. */
export interface SummarySearch {
  readonly accepted?: AcceptedSummary;
  /** the one that came closest */
  readonly nearest?: SummaryMiss;
  /** why not all could be read */
  readonly cause?: Cause;
}

/** Summaries of a digest that somebody keeps: bundles or envelopes, as JSON. */
export type SummarySource = (digest: Digest) => Promise<readonly Uint8Array[]>;

/** More are not looked at. */
const MAX_SUMMARIES = 100;

/** Looks among summaries that are at hand. No request is made. One that cannot be read counts for nothing. */
export async function findGivenSummary(
  source: SummarySource,
  { read }: Pick<Bench, 'read'>,
  gates: readonly PreparedGate[],
  demand: SummaryDemand,
): Promise<SummarySearch> {
  const misses: SummaryMiss[] = [];
  let documents: readonly Uint8Array[];
  try {
    documents = await source(demand.digest);
  } catch (error) {
    return { cause: causeOf(error) };
  }
  const artifact = {
    kind: 'digest',
    algorithm: digestAlgorithm(demand.digest),
    hex: digestHex(demand.digest),
  } as const;
  const signers = gates.map((gate) => gate.signers);
  for (const document of documents.slice(0, MAX_SUMMARIES)) {
    try {
      const { digest, statement, by } = await openSealedStatement(document, 'a summary', signers, artifact);
      if (statement.predicateType !== SUMMARY_PREDICATE_TYPE) continue;
      read.add(digest);
      const terms = 'code' in by ? by : judgeSummary(statement, by, demand);
      if ('code' in terms) misses.push(terms);
      else if (!('code' in by)) return { accepted: { digest, signer: signerName(by), ...terms } };
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
    }
  }
  return nearestOf(misses);
}

/** Looks among what lies beside the image. */
export async function findAttachedSummary(
  bench: Pick<Bench, 'shelf' | 'read'>,
  gates: readonly PreparedGate[],
  demand: SummaryDemand,
): Promise<SummarySearch & { readonly rejection?: Rejection }> {
  const rejections: Rejection[] = [];
  let cause: Cause | undefined;
  try {
    const evidence = await bench.shelf.at(undefined);
    for (const { expectation } of gates) {
      const found: AcceptedSummary[] = [];
      const verdict = await evidence.attestations(expectation, {
        accept: async (seal) => {
          const terms = judgeSummary(seal.statement, seal, demand);
          if ('code' in terms) return terms;
          found.push({
            digest: seal.place.layer ?? seal.place.manifest,
            signer: signerName(seal),
            ...terms,
          });
          return undefined;
        },
      });
      noteRead(bench.read, verdict);
      const [accepted] = found.toSorted((a, b) => b.validUntil.getTime() - a.validUntil.getTime());
      if (verdict.kind === 'trusted' && accepted !== undefined) return { accepted };
      rejections.push(...verdict.rejected);
      if (verdict.kind === 'undecided') cause ??= causeOf(verdict.cause);
    }
  } catch (error) {
    cause = causeOf(error);
  }
  const nearest = nearestOf(rejections);
  const rejection = rejections.find(
    ({ code, found }) => code === nearest.nearest?.code && found === nearest.nearest.found,
  );
  return { ...nearest, ...(rejection === undefined ? {} : { rejection }), ...(cause === undefined ? {} : { cause }) };
}

// What is no summary by a gate is no near miss.
function nearestOf(misses: readonly SummaryMiss[]): Pick<SummarySearch, 'nearest'> {
  const [nearest] = misses
    .filter(({ code }) => NEAREST_FIRST.includes(code))
    .toSorted((a, b) => NEAREST_FIRST.indexOf(a.code) - NEAREST_FIRST.indexOf(b.code));
  if (nearest === undefined) return {};
  const { code, found, expected } = nearest;
  return { nearest: { code, found, expected } };
}

const NEAREST_FIRST: readonly SummaryMiss['code'][] = [
  'summary-age',
  'signer-revoked',
  'summary-signers',
  'summary-object',
  'summary-policies',
  'summary-resource',
  'summary-failed',
  'predicate-malformed',
  'signature-invalid',
];
