// SPDX-License-Identifier: Apache-2.0
export { decide, type ImageContext } from './decide.ts';
export type {
  AttestationResult,
  AuthorityResult,
  Cause,
  Decision,
  Finding,
  Outcome,
  PolicyResult,
  ReasonCode,
} from './decision.ts';
export { BULLA_GROUP, decodePolicyDocuments, type PolicyDocuments } from './document/decode-documents.ts';
export { formatFault, type DocumentFault, type DocumentFaultCode, type SourcePlace } from './document/fault.ts';
export type { KubernetesObject } from './document/kubernetes-object.ts';
export type {
  AttestationDocument,
  Authority,
  ClusterImagePolicy,
  EvidenceSource,
  HashAlgorithm,
  IdentityDocument,
  KeyDocument,
  LogDocument,
  PolicyProgram,
  ProgramText,
  SealAuthority,
  SignerDocument,
  StaticAuthority,
  TextDocument,
} from './document/policy.ts';
export { decodePolicyTests, type PolicyTestCase, type PolicyTests } from './document/read-policy-tests.ts';
export type { MirrorDocument, NoMatch, RevocationDocument, SettingsDocument } from './document/settings.ts';
export type { TrustRootDocument, TrustRootForm } from './document/trust-root.ts';
export { YAML_LIMITS, type PolicyFile } from './document/yaml-stream.ts';
export { PolicyError, type PolicyErrorCode } from './error.ts';
export type { RunContext } from './evaluate/authority-matches.ts';
export { EvidenceCache, type OpenRepository } from './evaluate/evidence-shelf.ts';
export { loadPolicies, preparePolicies, type Preparation } from './evaluate/prepare-policies.ts';
export type {
  PolicySet,
  PreparedAttestation,
  PreparedAuthority,
  PreparedPolicy,
  PreparedProgram,
  PreparedRevocation,
  PreparedSealAuthority,
} from './evaluate/prepared-policy.ts';
export type { ResolvedTrust } from './evaluate/trust-roots.ts';
export { imageName, matchesGlob, type ImageGlob, type ImageName } from './match/image-glob.ts';
export type { LabelExpression, Labels, LabelSelector } from './match/label-selector.ts';
export { matchesResource, WORKLOADS, type Resource, type ResourceMatch } from './match/resource-match.ts';
export { readWorkloads, type Workload } from './match/read-workloads.ts';
