// SPDX-License-Identifier: Apache-2.0
export { decideImages, type DecideOptions, type ImageDecisions, type ImageToDecide } from './decide-images.ts';
export { GateError, type GateErrorCode } from './error.ts';
export {
  imageFields,
  objectsOf,
  WORKLOAD_LIMITS,
  type ImageField,
  type ListedObject,
} from './workload/image-fields.ts';
export { formatPath, valueAt, type JsonPath } from './workload/json-path.ts';
export { objectType, podSpecPath, type ObjectType } from './workload/pod-spec-path.ts';
export { resourceOf } from './workload/resource-of.ts';
export type {
  FoundImage,
  FoundImages,
  ImagePart,
  ImageParts,
  ImagePlace,
  ManifestFault,
  ManifestFaultCode,
  ManifestFile,
  ManifestKind,
  TextSpan,
} from './manifest/found-image.ts';
export { findImages, kindByName, type FindOptions } from './manifest/find-images.ts';
export { readWorkloads, type ReadWorkloads } from './manifest/read-workloads.ts';
export { readManifestFolder, type ManifestFolder } from './manifest/read-manifest-folder.ts';
export { MANIFEST_LIMITS } from './manifest/source-text.ts';
export { checkImages, type CheckOptions, type ImagesToCheck } from './check/check-images.ts';
export {
  countOutcomes,
  findingsOf,
  messageOf,
  reasonOf,
  type CheckedImage,
  type CheckFinding,
  type CheckReport,
  type FindingCode,
} from './check/check-report.ts';
export { encodeGithubAnnotations } from './check/github-annotations.ts';
export { encodeGitlabCodeQuality } from './check/gitlab-code-quality.ts';
export { encodeJunit } from './check/junit.ts';
export { encodeMarkdown } from './check/markdown-summary.ts';
export { encodeSarif } from './check/sarif.ts';
export { shown } from './check/shown.ts';
export { type Drift, type DriftCode } from './pin/check-lock.ts';
export { decodeLock, isLockPath, LOCK_LIMITS } from './pin/decode-lock.ts';
export { encodeLock, formatSigner, type Lock, type LockedImage, type LockedSigner } from './pin/lock.ts';
export { PinError, type PinErrorCode } from './pin/pin-error.ts';
export { checkPins, pinImages, type CheckedPins, type PinnedFiles, type PinOptions } from './pin/pin-images.ts';
export { type PinnedPlace, type RewrittenFile } from './pin/plan-pins.ts';
export { unifiedDiff } from './pin/unified-diff.ts';
export {
  previewPolicies,
  type PolicyPreview,
  type PreviewChange,
  type PreviewedImage,
  type PreviewOptions,
} from './check/preview-policies.ts';
export type { ApiCall, ClusterApi } from './cluster/cluster-api.ts';
export { ClusterError, type ClusterErrorCode } from './cluster/cluster-error.ts';
export { connectCluster, type ConnectClusterOptions, type ConnectedCluster } from './cluster/connect-cluster.ts';
export { labelsOf, type InstallSettings } from './cluster/install/install-settings.ts';
export {
  gateHosts,
  manifests,
  SYSTEM_NAMESPACES,
  webhookSettings,
  type GateSettings,
} from './cluster/install/manifests.ts';
export {
  withPolicyReviews,
  type Examination,
  type PolicyExaminer,
  type ReviewedKind,
} from './cluster/policy-reviews.ts';
export { openCluster, type OpenClusterOptions } from './cluster/open-cluster.ts';
export { isResource, type Mutate, type WebhookSettings } from './cluster/webhook-configuration.ts';
export { createAdmissionGate, type AdmissionGate, type AdmissionGateOptions } from './admission/admission-gate.ts';
export { AdmissionError, type AdmissionErrorCode } from './admission/admission-error.ts';
export { createGateLog, type GateLogOptions } from './admission/gate-log.ts';
export { createGateMetrics, type GateMetrics } from './admission/gate-metrics.ts';
export { createGateTraces } from './admission/gate-traces.ts';
export { JUDGE_LIMITS, type JudgeLimits, type JudgeState } from './admission/judge-limits.ts';
export type {
  DecisionObserver,
  DecisionRecord,
  GateCode,
  ImageDecision,
  ImageVerdict,
  PoliciesInForce,
  PolicySource,
  PolicyVerdict,
  PullCredentials,
  PullScope,
  TlsSource,
} from './admission/ports.ts';
export { reloadedPolicies, type ReloadedPolicies, type ReloadOptions } from './admission/reloaded-policies.ts';
export type { MutateMode } from './admission/reviewer.ts';
export { serveAdmission, type RunningAdmission, type ServeAdmissionOptions } from './admission/serve-admission.ts';
export { GATE_REMOTE_LIMITS, sharedCredentials } from './admission/shared-credentials.ts';
export { openSummaryKeeper, type SummaryKeeper, type SummaryKeeperOptions } from './admission/summary-keeper.ts';
export { joined, SILENT, type GateTelemetry, type ReviewEnd } from './admission/telemetry.ts';
export { tlsFilesSource } from './admission/tls-files-source.ts';
export { ClusterPullCredentials, signatureSecretsOf } from './cluster/cluster-pull-credentials.ts';
export type { ObjectStatus } from './cluster/compile-policies.ts';
export { loadClusterPolicies } from './cluster/load-cluster-policies.ts';
export { listRunning } from './cluster/scan/list-running.ts';
export { runningImages, type RunningImage } from './cluster/scan/running-image.ts';
export { scanImages, type ScannedImage, type ScanOptions, type ScanReport } from './cluster/scan/scan-images.ts';
