// SPDX-License-Identifier: Apache-2.0
import type { AttestationExpectation, Expectation, ExpectedSigners, SealFormat } from '../../image/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { ExpectedIdentity, PublicKey } from '../../trust/index.ts';
import type { SourcePlace } from '../document/fault.ts';
import type { HashAlgorithm, StaticAuthority } from '../document/policy.ts';
import type { MirrorDocument, NoMatch } from '../document/settings.ts';
import type { PreparedExceptions } from '../exception/prepare-exceptions.ts';
import type { PreparedProgram } from '../engine/engine.ts';
import type { ImageGlob } from '../match/image-glob.ts';
import type { ResourceMatch } from '../match/resource-match.ts';

export type { PreparedProgram };

/** A policy of which nothing is open any more: keys are read, trusted roots chosen, expressions compiled. */
export interface PreparedPolicy {
  readonly name: string;
  readonly place: SourcePlace;
  readonly mode: 'enforce' | 'warn' | 'audit';
  readonly images: readonly ImageGlob[];
  readonly match: readonly ResourceMatch[];
  readonly authorities: readonly PreparedAuthority[];
  readonly program?: PreparedProgram & {
    readonly fetchConfigFile: boolean;
    readonly includeSpec: boolean;
    readonly includeObjectMeta: boolean;
    readonly includeTypeMeta: boolean;
  };
  /** of the policy and of all that it refers to */
  readonly hash: Digest;
}

export type PreparedAuthority = StaticAuthority | PreparedSealAuthority;

/** Seals by these signers. */
export interface PreparedSealAuthority {
  readonly kind: 'key' | 'keyless';
  readonly name: string;
  readonly signers: ExpectedSigners;
  /** the same object in each decision, for which what was found out is kept */
  readonly expectation: Expectation;
  /** where a key must have signed with one hash */
  readonly hashAlgorithm?: HashAlgorithm;
  readonly formats?: readonly SealFormat[];
  readonly source?: {
    readonly repository?: string;
    readonly tagPrefix?: string;
    /** names of Secrets in the namespace of the workload */
    readonly pullSecrets?: readonly string[];
  };
  readonly attestations: readonly PreparedAttestation[];
  readonly threshold: number;
  /** milliseconds */
  readonly maxAge?: number;
}

export interface PreparedAttestation {
  readonly name: string;
  readonly predicateType: string;
  readonly expectation: AttestationExpectation;
  readonly program?: PreparedProgram;
}

/** A signer whose seals no longer count. */
export interface PreparedRevocation {
  readonly signer:
    | { readonly kind: 'keys'; readonly keys: readonly PublicKey[] }
    | { readonly kind: 'identity'; readonly identity: ExpectedIdentity };
  readonly since?: Date;
  readonly reason: string;
}

/** Who makes verification summaries. */
export interface PreparedGate {
  readonly name: string;
  readonly signers: ExpectedSigners;
  /** the same object in each decision, for which what was found out is kept */
  readonly expectation: AttestationExpectation;
}

/** Policies that are ready to decide. */
export interface PolicySet {
  readonly policies: readonly PreparedPolicy[];
  readonly noMatch: NoMatch;
  /** the longest first */
  readonly mirrors: readonly MirrorDocument[];
  readonly revocations: readonly PreparedRevocation[];
  /** whose verification summaries count; none does where there is none */
  readonly gates: readonly PreparedGate[];
  readonly summaries: {
    /** nothing is admitted without one */
    readonly demand: boolean;
    /** milliseconds since it was verified, at most */
    readonly maxAge: number;
  };
  readonly exceptions: PreparedExceptions;
  /** of all that is not in a policy: revocations, exceptions, gates, mirrors, and what becomes of images without one */
  readonly settingsHash: Digest;
}
