// SPDX-License-Identifier: Apache-2.0
import type { Seal } from '../../image/index.ts';
import type { AuthorityResult, Decision, Finding, PolicyResult } from '../../policy/index.ts';
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
  };
}

function policyDocument(result: PolicyResult): object {
  const { policy, hash, mode, authorities } = result;
  return { policy, hash, mode, ...findingDocument(result), authorities: authorities.map(authorityDocument) };
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
