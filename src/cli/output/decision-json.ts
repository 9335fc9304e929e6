// SPDX-License-Identifier: Apache-2.0
import type { Seal } from '../../image/index.ts';
import type {
  AppliedException,
  AuthorityResult,
  Decision,
  Finding,
  PlatformResult,
  PolicyResult,
} from '../../policy/index.ts';
import { evidenceDocument, signerDocument } from './verdict-json.ts';

/** A decision in JSON. The shape is documented in docs/cli.md and kept. */
export function decisionDocument(decision: Decision): object {
  const { image, digest, policies, policyHash, evidence } = decision;
  return {
    image,
    digest: digest ?? null,
    ...findingDocument(decision),
    policyHash,
    evidence,
    policies: policies.map(policyDocument),
    policyWarnings: decision.warnings,
    exceptions: decision.exceptions.map(exceptionDocument),
    nearestException: decision.nearestException ?? null,
    summary: summaryDocument(decision),
    nearestSummary: decision.nearestSummary ?? null,
    inputs: decision.inputs,
    validUntil: decision.validUntil?.toISOString() ?? null,
    readsClock: decision.readsClock,
  };
}

function exceptionDocument({ issued, expires, ...exception }: AppliedException): object {
  return { ...exception, issued: issued.toISOString(), expires: expires.toISOString() };
}

function summaryDocument({ summary }: Decision): object | null {
  if (summary === undefined) return null;
  const { timeVerified, validUntil, ...rest } = summary;
  return { ...rest, timeVerified: timeVerified.toISOString(), validUntil: validUntil.toISOString() };
}

function policyDocument(result: PolicyResult): object {
  const { policy, hash, mode, authorities, platforms = [] } = result;
  return {
    policy,
    hash,
    mode,
    ...findingDocument(result),
    authorities: authorities.map(authorityDocument),
    platforms: platforms.map(platformDocument),
  };
}

function platformDocument(result: PlatformResult): object {
  const { platform, digest, authorities } = result;
  return { platform, digest, ...findingDocument(result), authorities: authorities.map(authorityDocument) };
}

function authorityDocument(result: AuthorityResult): object {
  const { name, kind, seals, attestations, expected } = result;
  return {
    name,
    kind,
    ...findingDocument(result),
    expected,
    seals: seals.map(sealDocument),
    attestations: attestations.map((attestation) => ({
      name: attestation.name,
      predicateType: attestation.predicateType,
      ...findingDocument(attestation),
      seals: attestation.seals.map(sealDocument),
    })),
  };
}

function findingDocument({
  outcome,
  code,
  message,
  nearest,
  cause,
}: Omit<Finding, 'outcome'> & { outcome: string }): object {
  return { outcome, code, message, nearest: nearest ?? null, cause: cause ?? null };
}

function sealDocument({ format, place, signer, scheme, evidence }: Seal): object {
  return {
    format,
    place,
    signer: signerDocument(signer),
    scheme,
    ...(evidence === undefined ? {} : evidenceDocument(evidence)),
  };
}
