// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import type { OpenRepository, Outcome, PolicyResult, PolicySet, ReasonCode } from '../../policy/index.ts';
import type { Json, TlsMaterial } from '../../wire/index.ts';

// What the gate is handed: from files, or from a cluster.

/** Policies that are in force. Another object for each change: what was decided by one is not used under another. */
export interface PoliciesInForce {
  readonly set: PolicySet;
}

/** Where policies come from. */
export interface PolicySource {
  /** Those that count now; undefined until policies and trusted roots are loaded, and then nothing is admitted. Costs nothing: asked for each review. */
  current(): PoliciesInForce | undefined;
  /** why none are loaded, one line without a secret */
  readonly pending?: () => string;
}

/** What may be asked of registries on behalf of one workload. */
export interface PullScope {
  /**
   * Names what the requests are authorised by: the same for the same secrets and only then, without a secret in it. What was read under one
   * key is never shown to another.
   */
  readonly key: string;
  /** Opens a repository with those credentials, each bound to its registry. */
  readonly open: OpenRepository;
}

/** Registry credentials of workloads. */
export interface PullCredentials {
  /**
   * @param podSpec the pod spec that names pull secrets and a service account, where the object has one
   * @param signal of the review: past its deadline nobody waits
   * @returns at once where it is known already: it is asked for each review
   * @throws CodedError where they cannot be found out; the review is denied as undecided
   */
  scopeOf(namespace: string, podSpec: Json | undefined, signal: AbortSignal): PullScope | Promise<PullScope>;
}

/** What one policy said of an image: the part of policy's `PolicyResult` that is kept. */
export interface PolicyVerdict {
  readonly policy: string;
  /** `audit`: it is told to the audit log alone */
  readonly mode: PolicyResult['mode'];
  readonly outcome: Outcome;
  readonly code: ReasonCode;
  readonly message: string;
}

/** What was decided on an image: the part of policy's `Decision` that is kept, since the seals themselves are large. */
export interface ImageVerdict {
  readonly outcome: Outcome;
  readonly code: ReasonCode | GateCode;
  /** one line, for a person */
  readonly message: string;
  readonly digest?: Digest;
  readonly policies: readonly PolicyVerdict[];
  readonly policyHash?: Digest;
  /** digests of the seals that counted */
  readonly evidence: readonly Digest[];
  readonly warnings: readonly string[];
  /** who sealed it, as far as that counted */
  readonly signers: readonly string[];
  /** what came closest to being accepted: `code`, what was found and what was expected */
  readonly nearest?: { readonly code: string; readonly found: string; readonly expected: string };
  /** why it could not be found out */
  readonly cause?: { readonly code: string; readonly message: string };
  /** the signed exception by which it was admitted: source, reason and approver */
  readonly exception?: string;
}

/** What the gate itself says of an image, beside policy's codes. */
export type GateCode =
  /** a Pod that names an image by its tag reached the validating webhook */
  | 'digest-demanded'
  /** the answer did not come before the API server's own deadline */
  | 'deadline'
  /** too much is under way, in all or for this namespace */
  | 'overloaded'
  /** the pull secrets of the workload cannot be found out */
  | 'credentials-unknown';

/** One image of a reviewed object and what was decided. */
export interface ImageDecision {
  /** `spec.containers[0].image` */
  readonly field: string;
  /** name of the container or volume, empty where it has none */
  readonly container: string;
  /** as it stood in the object */
  readonly image: string;
  readonly decision: ImageVerdict;
}

/** One review and how it was answered. */
export interface DecisionRecord {
  readonly at: Date;
  /** `uid` of the review */
  readonly review: string;
  readonly endpoint: 'mutate' | 'validate';
  /** nothing may be written for it anywhere: no Event, report or VSA */
  readonly dryRun: boolean;
  readonly operation: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** plural */
  readonly resource: string;
  readonly subResource: string;
  readonly namespace: string;
  /** empty where it is generated and not yet known; then `generateName` says how it begins */
  readonly name: string;
  readonly generateName: string;
  /** `metadata.uid` of the object, empty before it is created */
  readonly objectUid: string;
  /** `metadata.ownerReferences` of the object, as they stand there, or null */
  readonly owners: Json;
  /** who asked the API server */
  readonly user: string;
  readonly allowed: boolean;
  /** stable: `trusted`, `refused`, `undecided`, `deadline`, `not-loaded`, `malformed`, `too-many`, `fault`; for one that looked at no image why, e.g. `unchanged` */
  readonly code: string;
  /** what the API server was told; empty where allowed without remark */
  readonly message: string;
  readonly warnings: readonly string[];
  readonly images: readonly ImageDecision[];
  readonly milliseconds: number;
}

/** Who is told of decisions: Events, reports. Is called after the answer is made and must not throw; nobody waits for it. */
export interface DecisionObserver {
  decided(record: DecisionRecord): void;
}

export type { TlsMaterial } from '../../wire/index.ts';

/** The server's certificate, which changes while it serves. */
export interface TlsSource {
  /** @throws WireError `tls-malformed` */
  current(): Promise<TlsMaterial>;
  /**
   * Calls on each change with what counts from now on, until the function that it returns is called.
   *
   * @param trouble told once of what cannot be used and stays so; what counted before counts on
   */
  watch(changed: (material: TlsMaterial) => void, trouble?: (error: unknown) => void): () => void;
  /** Looks now, where changes are looked for only now and then. */
  readonly look?: () => void;
}
