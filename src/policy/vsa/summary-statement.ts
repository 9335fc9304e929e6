// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, repositoryName, type Digest } from '../../oci/index.ts';
import { certificateKey, encodeStatement, type SealSigner } from '../../trust/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { countedSeals } from '../counted-seals.ts';
import type { Decision, PolicyResult } from '../decision.ts';
import { PolicyError } from '../error.ts';
import { sealTime } from '../evaluate/seal-demand.ts';
import { imageName } from '../match/image-glob.ts';

/** @see https://slsa.dev/spec/v1.0/verification_summary */
export const SUMMARY_PREDICATE_TYPE = 'https://slsa.dev/verification_summary/v1';

/** The member of the predicate that is Bulla's own: who had sealed, which policies, and until when the decision holds. */
const SUMMARY_EXTENSION = 'https://bulla.dev/summary/v1';

/** What a verification summary says of a decision. */
export interface SummaryOptions {
  /** URI of the gate that says so */
  readonly verifier: string;
  /** versions of its parts, by name */
  readonly versions?: Readonly<Record<string, string>>;
  /** where the policies can be found; a name made of their hash unless told */
  readonly policyUri?: string;
  /** when it was decided */
  readonly now: Date;
}

/** A verification summary, to be signed. */
export interface VerificationSummary {
  readonly digest: Digest;
  /** `registry/repository` */
  readonly repository: string;
  readonly result: 'PASSED' | 'FAILED';
  readonly predicate: { readonly [name: string]: Json };
}

const MAX_SIGNERS = 1000;

/**
 * Says in a verification summary (SLSA) what was decided: this digest in this repository met, or did not meet, the policies of this hash at
 * that time, by evidence of these digests, sealed by these signers.
 *
 * @throws PolicyError `summary-impossible` for what was not found out, has no digest or no policy, or rests on an exception or on another
 * summary: no summary may live longer for being made of another
 * @see https://slsa.dev/spec/v1.0/verification_summary
 * @example
 * const decision = await decide({ ...context, summaries: 'ignore' }, policies);
 * const summary = makeVsa(decision, { verifier: 'https://ci.example.com/gate', now });
 */
export function makeVsa(
  decision: Decision,
  { verifier, versions, policyUri, now }: SummaryOptions,
): VerificationSummary {
  const { digest, outcome, policyHash, policies, evidence, validUntil } = decision;
  const impossible = whyImpossible(decision);
  if (impossible !== undefined || digest === undefined)
    throw new PolicyError(
      'summary-impossible',
      `no summary is made for ${decision.image}: ${impossible ?? 'no digest'}`,
    );
  const repository = repositoryName(imageName(decision.image).reference);
  const hex = digestHex(policyHash);
  const result = outcome === 'trusted' ? 'PASSED' : 'FAILED';
  return {
    digest,
    repository,
    result,
    predicate: {
      verifier: { id: verifier, ...(versions === undefined ? {} : { version: { ...versions } }) },
      timeVerified: now.toISOString(),
      resourceUri: resourceUri(repository, digest),
      policy: { uri: policyUri ?? `urn:bulla:policies:${hex}`, digest: { sha256: hex } },
      inputAttestations: evidence.map((one) => ({ digest: { [digestAlgorithm(one)]: digestHex(one) } })),
      verificationResult: result,
      verifiedLevels: [],
      [SUMMARY_EXTENSION]: {
        policies: policies.map(({ policy }) => policy),
        signers: signersOf(policies),
        ...(validUntil === undefined ? {} : { validUntil: validUntil.toISOString() }),
      },
    },
  };
}

/** The in-toto statement of a summary: what is signed. */
export function vsaStatement({ digest, repository, predicate }: VerificationSummary): Uint8Array {
  const named = { algorithm: digestAlgorithm(digest), hex: digestHex(digest) };
  return encodeStatement({
    version: '1',
    subjects: [{ name: repository, digest: named }],
    predicateType: SUMMARY_PREDICATE_TYPE,
    predicate,
  });
}

/** How a summary names an image. @see https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md */
export function resourceUri(repository: string, digest: Digest): string {
  const name = repository.slice(repository.lastIndexOf('/') + 1).toLowerCase();
  return `pkg:oci/${encodeURIComponent(name)}@${encodeURIComponent(digest)}?repository_url=${encodeURIComponent(repository)}`;
}

function whyImpossible({ outcome, digest, policies, exceptions, summary }: Decision): string | undefined {
  if (outcome === 'undecided') return 'it could not be found out';
  if (digest === undefined) return 'nothing was looked at: there is no digest';
  if (summary !== undefined) return 'it was admitted by a summary itself';
  if (exceptions.length > 0) return 'an exception lifts a policy';
  if (policies.length === 0) return 'no policy is about it';
  return undefined;
}

function signersOf(policies: readonly PolicyResult[]): Json {
  const listed = new Map<string, Json>();
  for (const seal of countedSeals(policies)) {
    const time = sealTime(seal)?.toISOString();
    const signer = { ...signerJson(seal.signer), ...(time === undefined ? {} : { time }) };
    listed.set(JSON.stringify(signer), signer);
  }
  if (listed.size > MAX_SIGNERS) throw new PolicyError('summary-impossible', `more than ${MAX_SIGNERS} seals counted`);
  return [...listed.keys()].toSorted().flatMap((key) => listed.get(key) ?? []);
}

function signerJson(signer: SealSigner): { readonly [name: string]: Json } {
  if (signer.kind === 'key') return { kind: 'key', key: signer.key.hint };
  const { subject, kind, claims } = signer.identity;
  const key = certificateKey(signer.certificate, 'the certificate').hint;
  return { kind: 'identity', subject, subjectKind: kind, claims: { ...claims }, key };
}

/** A signer whom a summary lists. */
export interface ListedSigner {
  /** hash of the public key */
  readonly key: string;
  /** earliest time at which a log or timestamp authority had the seal */
  readonly time?: Date;
  readonly identity?: Extract<SealSigner, { kind: 'identity' }>['identity'];
}

/** The part of a summary that is Bulla's own. */
export interface SummaryExtension {
  readonly signers: readonly ListedSigner[];
  readonly validUntil?: Date;
}

/** The part of a summary that is Bulla's own; `undefined` where it has none, as those that others make. */
export function readExtension(predicate: {
  readonly [name: string]: Json;
}): SummaryExtension | 'unreadable' | undefined {
  if (!Object.hasOwn(predicate, SUMMARY_EXTENSION)) return undefined;
  const extension = predicate[SUMMARY_EXTENSION];
  const { signers, validUntil } = isJsonObject(extension) ? extension : {};
  if (!Array.isArray(signers) || signers.length > MAX_SIGNERS) return 'unreadable';
  const read = signers.map((signer: Json) => readSigner(signer));
  const listed = read.filter((signer) => signer !== undefined);
  const until = validUntil === undefined ? undefined : timeOf(validUntil);
  // What it says and is not understood may be a limit.
  if (listed.length < read.length || (validUntil !== undefined && until === undefined)) return 'unreadable';
  return { signers: listed, ...(until === undefined ? {} : { validUntil: until }) };
}

const SUBJECT_KINDS = ['email', 'uri', 'username', 'dns'] as const;

function readSigner(signer: Json): ListedSigner | undefined {
  if (!isJsonObject(signer) || typeof signer['key'] !== 'string') return undefined;
  const { kind, key, subject, claims } = signer;
  const time = signer['time'] === undefined ? undefined : timeOf(signer['time']);
  if (signer['time'] !== undefined && time === undefined) return undefined;
  const listed = { key, ...(time === undefined ? {} : { time }) };
  if (kind === 'key') return listed;
  const subjectKind = SUBJECT_KINDS.find((known) => known === signer['subjectKind']);
  if (kind !== 'identity' || typeof subject !== 'string' || subjectKind === undefined || !isJsonObject(claims))
    return undefined;
  const texts = Object.entries(claims);
  if (texts.some(([, text]) => typeof text !== 'string')) return undefined;
  return {
    ...listed,
    identity: { subject, kind: subjectKind, claims: Object.fromEntries(texts) },
  };
}

/** A time as RFC 3339 writes it. */
export function timeOf(text: Json | undefined): Date | undefined {
  if (typeof text !== 'string' || !/^\d{4}-\d{2}-\d{2}T[\d:.]{8,18}(?:Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? undefined : time;
}
