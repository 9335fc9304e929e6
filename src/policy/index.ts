// SPDX-License-Identifier: Apache-2.0
export { decide, type ImageContext } from './decide.ts';
export {
  mayReuse,
  type AcceptedSummary,
  type AppliedException,
  type AttestationResult,
  type AuthorityResult,
  type Cause,
  type Decision,
  type DecisionInputs,
  type ExceptionMiss,
  type ExceptionMissCode,
  type Finding,
  type Outcome,
  type PlatformResult,
  type PolicyResult,
  type ReasonCode,
  type SignerName,
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
export type {
  ExceptionDocument,
  ExceptionSettings,
  MirrorDocument,
  NoMatch,
  RevocationDocument,
  SettingsDocument,
  SummarySettings,
} from './document/settings.ts';
export type { TrustRootDocument, TrustRootForm } from './document/trust-root.ts';
export { YAML_LIMITS, type PolicyFile } from './document/yaml-stream.ts';
export { PolicyError, type PolicyErrorCode } from './error.ts';
export type { RunContext } from './evaluate/authority-matches.ts';
export { EvidenceCache, type OpenOptions, type OpenRepository } from './evaluate/evidence-shelf.ts';
export { findEngines, type EnginePlaces } from './engine/find-engines.ts';
export type { Engine, Engines, ProgramLanguage } from './engine/engine.ts';
export {
  isPredicatePolicy,
  readPredicatePolicies,
  type PredicatePolicies,
  type PredicatePolicyOptions,
  type PredicateRefusal,
} from './evaluate/predicate-policies.ts';
export {
  loadPolicies,
  preparePolicies,
  type PolicySurroundings,
  type Preparation,
} from './evaluate/prepare-policies.ts';
export type {
  PolicySet,
  PreparedAttestation,
  PreparedAuthority,
  PreparedPolicy,
  PreparedProgram,
  PreparedRevocation,
  PreparedSealAuthority,
} from './evaluate/prepared-policy.ts';
export type { RepositoryForm, ResolvedTrust } from './evaluate/trust-roots.ts';
export { imageName, matchesGlob, type ImageGlob, type ImageName } from './match/image-glob.ts';
export type { LabelExpression, Labels, LabelSelector } from './match/label-selector.ts';
export { policiesOfDigests } from './match/digest-globs.ts';
export { fetchedFrom, matchingPolicies, mirrorOf, mirrorsOf, namesOf } from './match/matching-policies.ts';
export { matchesResource, type Resource, type ResourceMatch, type Workload } from './match/resource-match.ts';
export {
  ALL_POLICIES,
  EXCEPTION_PREDICATE_TYPE,
  exceptionStatement,
  type ExceptionTerms,
} from './exception/exception-statement.ts';
export { questionOf, readsObject, type Question } from './question.ts';
export { attachVsa, type AttachedVsa, type AttachVsaOptions } from './vsa/attach-vsa.ts';
export type { SummarySource } from './vsa/find-summary.ts';
export {
  makeVsa,
  SUMMARY_PREDICATE_TYPE,
  vsaStatement,
  type SummaryOptions,
  type VerificationSummary,
} from './vsa/summary-statement.ts';
