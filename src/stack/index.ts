// SPDX-License-Identifier: Apache-2.0
export {
  CertificateAuthority,
  type IssuedCertificate,
  type SigningRequest,
} from './certificate-authority/certificate-authority.ts';
export { AuthorityError, type AuthorityErrorCode } from './certificate-authority/error.ts';
export type {
  CertificateChain,
  CertificateLogKeeper,
  Issuance,
  SigningAuthority,
} from './certificate-authority/issuance/signing-authority.ts';
export { decodeIssuers } from './certificate-authority/issuers/decode-issuers.ts';
export type { TokenIssuer } from './certificate-authority/issuers/token-issuer.ts';
export type { ClientKeyKind } from './certificate-authority/key/client-key.ts';
export type { KeyRequest } from './certificate-authority/key/proven-key.ts';
export {
  openCertificateAuthority,
  type BuiltInIssuer,
  type CertificateAuthorityOptions,
  type OpenedCertificateAuthority,
} from './certificate-authority/open-certificate-authority.ts';
export { CertificateRefusal, type RefusalCode } from './certificate-authority/refusal.ts';
export { decodeRules, firstRules } from './certificate-authority/rules/decode-rules.ts';
export type { Rule } from './certificate-authority/rules/rule.ts';
export {
  decodeIssuerDocument,
  EMPTY_DOCUMENT,
  SIGSTORE_CLIENT,
  type Client,
  type IssuerDocument,
  type User,
  type Workload,
} from './issuer/issuer-document.ts';
export { IssuerError, type IssuerErrorCode } from './issuer/issuer-error.ts';
export { createIssuer, parseIssuerUrl, type IdentityIssuer, type IssuerOptions } from './issuer/issuer.ts';
export { mintToken, SIGSTORE_AUDIENCE, type TokenMaker, type TokenRequest } from './issuer/mint-token.ts';
export type { RedirectUri } from './issuer/redirect-uri.ts';
export { parseClaims, type Claims } from './issuer/subject.ts';
export { KeyRingError, type KeyRingErrorCode } from './key/key-ring-error.ts';
export {
  openKeyRing,
  readActiveKey,
  type FirstStart,
  type KeyRing,
  type KeyRingOptions,
  type RingChange,
} from './key/key-ring.ts';
export { KEY_ROLES, type KeyRole } from './key/key-role.ts';
export { ROTATIONS, type Rotation, type RotationOptions } from './key/plan-rotation.ts';
export type { AuthorityAlgorithm, KeyDraft, RingKey, RingSettings } from './key/ring-key.ts';
export type { AppendLog, KeptEntry, NewEntry, ProvenEntry, PublishedTree, Search } from './log/append-log.ts';
export { checkLog, type LogCheck, type LogFinding, type LogFindingCode } from './log/check-log.ts';
export { LogError, type LogErrorCode } from './log/log-error.ts';
export type { AppendLogOptions, Cosign, LogWarning, Witnesses } from './log/log-options.ts';
export { openAppendLog } from './log/open-append-log.ts';
export { requireContinuation } from './log/require-continuation.ts';
export { appendLogReader, httpLogReader, type LogReader } from './rekor/log-reader.ts';
export { monitorLog, type MonitorReport, type Watch, type WatchedEntry } from './rekor/monitor-log.ts';
export { decodeMonitorState, encodeMonitorState, newMonitorState, type MonitorState } from './rekor/monitor-state.ts';
export { RekorError, type RekorErrorCode } from './rekor/rekor-error.ts';
export { createRekorV1Service, type RekorV1Options } from './rekor/rekor-v1.ts';
export { createRekorV2Service, type RekorV2Options } from './rekor/rekor-v2.ts';
export { searchTerm, type TermKind } from './rekor/search-terms.ts';
export { witnessClient, type WitnessClientOptions } from './rekor/witness-client.ts';
export { decodeWitnessPolicy, type PolicyLog, type PolicyWitness, type WitnessPolicy } from './rekor/witness-policy.ts';
export { ClockError, type ClockErrorCode } from './timestamp/clock-error.ts';
export { createClockGuard, type ClockGuard, type ClockGuardOptions } from './timestamp/clock-guard.ts';
export {
  createTimestampService,
  type TimestampAuthorityService,
  type TimestampServiceOptions,
} from './timestamp/timestamp-service.ts';
export { DEFAULT_LIFETIMES, type Lifetimes } from './tuf/next-editions.ts';
export { rotateKeys, type RotatedKeys } from './tuf/rotate-keys.ts';
export { stackSigningConfig, stackTrustedRoot, type StackAddresses } from './tuf/stack-trust.ts';
export { SIGNING_CONFIG_NAME, stackTargets, TRUSTED_ROOT_NAME, type TufTarget } from './tuf/target.ts';
export { TufError, type TufErrorCode } from './tuf/tuf-error.ts';
export {
  createTufRepository,
  type TufRepository,
  type TufRepositoryOptions,
  type TufTick,
} from './tuf/tuf-repository.ts';
export type { TufWarning, TufWarningCode } from './tuf/tuf-warning.ts';
export { checkStoppedLogs } from './check-stopped-logs.ts';
export { beginNewShards, republish, requireStackContinuation, type RestoredStack } from './continue-logs.ts';
export { openStack, type OpenedStack, type StackOptions, type StackRoute } from './open-stack.ts';
export type { ShardCheck } from './log-shards.ts';
export { shardOriginV1, shardPath } from './rekor-shards.ts';
