// SPDX-License-Identifier: Apache-2.0
import {
  checkPredicate,
  decodeStatement,
  describeFault,
  printable,
  SIGN_PREDICATE_TYPE,
  statedArtifacts,
  TrustError,
  type Envelope,
  type PredicateFault,
  type Statement,
} from '../trust/index.ts';
import { WireError } from '../wire/index.ts';
import type { Candidate } from './finding.ts';
import { checkSigner, reject, sealOf, type ExpectedSigners, type Judgement } from './judge.ts';
import type { SealChecks } from './seal-checks.ts';
import type { Seal } from './verdict.ts';

/** An attestation that was accepted: a seal, with what it says. */
export interface Attestation extends Seal {
  readonly envelope: Envelope;
  /** what the signer said; `predicateType` is that of the expectation, where it has one */
  readonly statement: Statement;
  /** what is wrong with its predicate by the schema of its kind; none is refused for that unless it is asked for */
  readonly faults: readonly PredicateFault[];
}

/** Who must have attested, and what. */
export interface AttestationExpectation {
  readonly signers: ExpectedSigners;
  /** a URI; any attestation will do where it is left out */
  readonly predicateType?: string;
  /** refuses a predicate that is not in the form of its kind */
  readonly strictPredicate?: boolean;
  /** cosign's `--check-claims`; true unless told. False lets an attestation in an `.att` tag pass that is of another image */
  readonly checkClaims?: boolean;
}

/** Judges one attestation: is it one of this kind, by whom I expect, about this digest, in the form that the kind has? */
export async function judgeAttestation(
  candidate: Candidate,
  expectation: AttestationExpectation,
  checks?: SealChecks,
): Promise<Judgement<Attestation>> {
  const { content } = candidate.bundle;
  const { predicateType: wanted } = expectation;
  if (content.kind !== 'dsse') return notAttestation(candidate, 'a signature over bytes', wanted);
  // Peeked at before the signature is checked: it decides the reason only.
  const peeked = peek(content.envelope);
  if (peeked?.predicateType === SIGN_PREDICATE_TYPE && wanted !== SIGN_PREDICATE_TYPE)
    return notAttestation(candidate, 'a signature of the image', wanted);
  if (peeked !== undefined && wanted !== undefined && peeked.predicateType !== wanted)
    return otherType(candidate, peeked, wanted);
  const checked = await checkSigner(withSubject(candidate, peeked, expectation), expectation.signers, checks);
  if (checked.kind === 'rejected') return checked;
  const { check } = checked;
  if (check.content.kind !== 'statement') return notAttestation(candidate, 'a signature over bytes', wanted);
  const { statement } = check.content;
  if (wanted !== undefined && statement.predicateType !== wanted) return otherType(candidate, statement, wanted);
  const faults = checkPredicate(statement.predicateType, statement.predicate);
  const [fault] = faults;
  if (fault !== undefined && expectation.strictPredicate === true)
    return reject(candidate, 'predicate-malformed', describeFault(fault), `a predicate of ${statement.predicateType}`);
  const seal = { ...sealOf(candidate, check, expectation.signers), annotations: {} };
  return { kind: 'accepted', seal: { ...seal, envelope: content.envelope, statement, faults } };
}

function peek(envelope: Envelope): Statement | undefined {
  try {
    return decodeStatement(envelope.payload);
  } catch (error) {
    if (error instanceof TrustError || error instanceof WireError) return undefined;
    throw error;
  }
}

// cosign compares nothing then in `.att` tags: whatever the statement is about is what it should be about.
function withSubject(
  candidate: Candidate,
  statement: Statement | undefined,
  { checkClaims }: AttestationExpectation,
): Candidate {
  if (checkClaims !== false || candidate.format !== 'legacy') return candidate;
  const named = statement === undefined ? undefined : statedArtifacts(statement)[0];
  return named === undefined ? candidate : { ...candidate, artifact: named };
}

function otherType(candidate: Candidate, { predicateType }: Statement, wanted: string): Judgement<Attestation> {
  return reject(candidate, 'predicate-type-mismatch', printable(predicateType, 200), wanted);
}

function notAttestation(candidate: Candidate, found: string, wanted: string | undefined): Judgement<Attestation> {
  return reject(candidate, 'not-attestation', found, `an attestation${wanted === undefined ? '' : ` of ${wanted}`}`);
}
