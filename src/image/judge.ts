// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';
import {
  decodeSimpleSigning,
  decodeStatement,
  SIGN_PREDICATE_TYPE,
  TrustError,
  verifyBundle,
  type Bundle,
  type EvidenceDemand,
  type ExpectedIdentity,
  type PublicKey,
  type SealCheck,
  type SealExpectation,
  type SimpleSigning,
  type Statement,
} from '../trust/index.ts';
import { WireError, type Json } from '../wire/index.ts';
import type { Candidate } from './finding.ts';
import type { SealChecks } from './seal-checks.ts';
import type { LogCheck, Rejection, RejectionCode, Seal, Weakening } from './verdict.ts';

/** The type that cosign writes into a simple-signing payload. */
export const CONTAINER_IMAGE_SIGNATURE = 'cosign container image signature';

/** What tells expected signers from others without comparing them. */
interface NamedSigners {
  /** a hash of the signers and of whom one believes about them, so that what was verified is known again beyond this object */
  readonly material?: string;
}

/** Who must have sealed. */
export type ExpectedSigners = NamedSigners &
  /** Any of these keys, so that keys can overlap while they rotate; where evidence is demanded, a log must have the seal as well. */
  (
    | { readonly kind: 'keys'; readonly keys: readonly PublicKey[]; readonly evidence?: EvidenceDemand }
    /** Any of these, by a certificate. */
    | {
        readonly kind: 'identities';
        readonly identities: readonly ExpectedIdentity[];
        readonly evidence: EvidenceDemand;
      }
  );

/** Who must have sealed, and what the seal must say. */
export interface Expectation {
  readonly signers: ExpectedSigners;
  /** `-a` pairs that the seal must carry */
  readonly annotations?: Readonly<Record<string, string>>;
  /**
   * cosign's `--check-claims`; true unless told. False drops the annotation check, and for legacy seals the comparison of the
   * payload's digest with the image: a seal of another image then passes.
   */
  readonly checkClaims?: boolean;
}

/** What judging a candidate gave. */
export type Judgement<S extends Seal = Seal> =
  | { readonly kind: 'accepted'; readonly seal: S }
  | { readonly kind: 'rejected'; readonly rejection: Rejection };

/** What is asked of a seal beyond its signer and what it is about. */
export interface FurtherDemand<S extends Seal = Seal> {
  /** why a seal by whom one expects does not count all the same; `undefined` if it does */
  accept?(seal: S): Promise<Omit<Rejection, 'place' | 'format'> | undefined>;
}

/** What a judgement is once more is asked. @throws what `accept` throws */
export async function further<S extends Seal>(
  judgement: Judgement<S>,
  demand: FurtherDemand<S>,
): Promise<Judgement<S>> {
  if (judgement.kind === 'rejected') return judgement;
  const why = await demand.accept?.(judgement.seal);
  if (why === undefined) return judgement;
  const { place, format } = judgement.seal;
  return { kind: 'rejected', rejection: { place, format, ...why } };
}

/** Judges one signature: is it one, by whom I expect, about this digest, saying what I expect? */
export async function judge(
  candidate: Candidate,
  digest: Digest,
  expectation: Expectation,
  checks?: SealChecks,
): Promise<Judgement> {
  const otherType = otherPredicateType(candidate);
  if (otherType !== undefined) {
    return reject(candidate, 'predicate-type-mismatch', `an attestation of type ${otherType}`, SIGN_PREDICATE_TYPE);
  }
  const checked = await checkSigner(candidate, expectation.signers, checks);
  if (checked.kind === 'rejected') return checked;
  const { check, bundle } = checked;
  return candidate.format === 'legacy'
    ? judgeLegacy({ ...candidate, bundle }, check, digest, expectation)
    : judgeBundle(candidate, check, expectation);
}

/** A candidate that is by whom one expects, with all that lies beside it. */
export interface CheckedCandidate {
  readonly kind: 'checked';
  readonly check: AcceptedSeal;
  readonly bundle: Bundle;
}

/** Is it by whom I expect, and about what it should be about? What it says is for others to judge. */
export async function checkSigner(
  candidate: Candidate,
  signers: ExpectedSigners,
  checks?: SealChecks,
): Promise<CheckedCandidate | Extract<Judgement, { kind: 'rejected' }>> {
  const bundle = await wholeBundle(candidate, signers);
  if ('code' in bundle) return { kind: 'rejected', rejection: bundle };
  const { artifact } = candidate;
  const verify = (): Promise<SealCheck> => verifyBundle(bundle, artifact, sealExpectation(signers));
  const { material } = signers;
  const check = await (checks === undefined || material === undefined
    ? verify()
    : checks.check(bundle, artifact, material, verify));
  if (check.kind === 'rejected') return { kind: 'rejected', rejection: { ...about(candidate), ...check.rejection } };
  return { kind: 'checked', check, bundle };
}

/** The same as `verifyBundle` takes it. */
export function sealExpectation(signers: ExpectedSigners): SealExpectation {
  return signers.kind === 'keys'
    ? { keys: signers.keys, ...signers.evidence }
    : { identities: signers.identities, ...signers.evidence };
}

// Whoever expects a key and no log tries it on the signature, whatever was laid beside it: annotations can be written by anyone.
async function wholeBundle(candidate: Candidate, { evidence }: ExpectedSigners): Promise<Bundle | Rejection> {
  const { bundle, beside } = candidate;
  if (beside === undefined || evidence === undefined) return bundle;
  const { withEvidence } = await import('./legacy-evidence.ts');
  try {
    return withEvidence(bundle, beside);
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    const expected = 'annotations as cosign writes them';
    return { ...about(candidate), code: 'bundle-malformed', found: error.message, expected };
  }
}

// Peeked at before the signature is checked: an attestation is no signature, whoever made it.
function otherPredicateType(candidate: Candidate): string | undefined {
  const { content } = candidate.bundle;
  if (candidate.format === 'legacy' || content.kind !== 'dsse') return undefined;
  try {
    const { predicateType } = decodeStatement(content.envelope.payload);
    return predicateType === SIGN_PREDICATE_TYPE ? undefined : predicateType;
  } catch (error) {
    if (error instanceof TrustError || error instanceof WireError) return undefined;
    throw error;
  }
}

/** What was verified of an accepted seal. */
export type AcceptedSeal = Extract<SealCheck, { kind: 'accepted' }>;

function judgeBundle(candidate: Candidate, check: AcceptedSeal, expectation: Expectation): Judgement {
  if (check.content.kind !== 'statement') {
    return reject(
      candidate,
      'payload-type-unexpected',
      'a signature over bytes',
      'a DSSE envelope with an in-toto statement',
    );
  }
  const annotations = annotationsOf(check.content.statement, candidate);
  return finish(candidate, check, expectation, { annotations });
}

function annotationsOf(statement: Statement, candidate: Candidate): Readonly<Record<string, Json>> {
  const { artifact } = candidate;
  if (artifact.kind !== 'digest') return {};
  return statement.subjects.find((subject) => subject.digest[artifact.algorithm] === artifact.hex)?.annotations ?? {};
}

function judgeLegacy(candidate: Candidate, check: AcceptedSeal, digest: Digest, expectation: Expectation): Judgement {
  const payload = candidate.artifact.kind === 'bytes' ? candidate.artifact.bytes : new Uint8Array();
  let claims: SimpleSigning;
  try {
    claims = decodeSimpleSigning(payload);
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    return reject(candidate, 'payload-malformed', error.message, 'a simple-signing payload');
  }
  if (claims.type !== CONTAINER_IMAGE_SIGNATURE) {
    return reject(candidate, 'claims-mismatch', `type '${claims.type}'`, `type '${CONTAINER_IMAGE_SIGNATURE}'`);
  }
  if (expectation.checkClaims !== false && claims.manifestDigest !== digest) {
    return reject(candidate, 'subject-mismatch', `a seal of ${claims.manifestDigest}`, `a seal of ${digest}`);
  }
  const annotations = claims.optional ?? {};
  return finish(candidate, check, expectation, { annotations, dockerReference: claims.dockerReference, payload });
}

function finish(
  candidate: Candidate,
  check: AcceptedSeal,
  expectation: Expectation,
  said: Pick<Seal, 'annotations' | 'dockerReference' | 'payload'>,
): Judgement {
  if (expectation.checkClaims !== false) {
    for (const [key, value] of Object.entries(expectation.annotations ?? {})) {
      const found = Object.hasOwn(said.annotations, key) ? said.annotations[key] : undefined;
      if (found !== value) {
        const shown =
          found === undefined
            ? `no annotation ${key}`
            : `${key}=${typeof found === 'string' ? found : JSON.stringify(found)}`;
        return reject(candidate, 'annotation-mismatch', shown, `${key}=${value}`);
      }
    }
  }
  return { kind: 'accepted', seal: { ...sealOf(candidate, check, expectation.signers), ...said } };
}

/** An accepted candidate, without what only its kind says. */
export function sealOf(
  { format, place, bundle }: Candidate,
  { signer, scheme, evidence }: AcceptedSeal,
  signers: ExpectedSigners,
): Omit<Seal, 'annotations'> {
  return {
    format,
    place,
    signer,
    scheme,
    log: logCheckOf(signers),
    ...(evidence === undefined ? {} : { evidence }),
    bundle,
  };
}

/** The checks that an expectation leaves out. */
export function weakeningsOf({
  checkClaims,
  signers,
}: Pick<Expectation, 'checkClaims' | 'signers'>): readonly Weakening[] {
  return [
    ...(checkClaims === false ? (['claims-not-checked'] as const) : []),
    ...(signers.evidence?.ignoreLog === true ? (['log-ignored'] as const) : []),
    ...(signers.kind === 'identities' && signers.evidence.ignoreScts === true
      ? (['certificate-log-ignored'] as const)
      : []),
  ];
}

/** What becomes of the log where these signers are expected. */
export function logCheckOf({ evidence }: ExpectedSigners): LogCheck {
  if (evidence === undefined) return 'not-checked';
  return evidence.ignoreLog === true ? 'ignored' : 'verified';
}

function about(candidate: Candidate): Pick<Rejection, 'place' | 'format'> {
  return { place: candidate.place, format: candidate.format };
}

/** A candidate that does not count, and why. */
export function reject(
  candidate: Candidate,
  code: RejectionCode,
  found: string,
  expected: string,
): Extract<Judgement, { kind: 'rejected' }> {
  return { kind: 'rejected', rejection: { ...about(candidate), code, found, expected } };
}
