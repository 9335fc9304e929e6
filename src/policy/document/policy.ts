// SPDX-License-Identifier: Apache-2.0
import type { PublicKey } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import type { ImageGlob } from '../match/image-glob.ts';
import type { ResourceMatch } from '../match/resource-match.ts';
import type { SourcePlace } from './fault.ts';

/** Who must have sealed which images: a document of kind ClusterImagePolicy, with nothing resolved that it refers to. */
export interface ClusterImagePolicy {
  readonly kind: 'ClusterImagePolicy';
  readonly name: string;
  readonly place: SourcePlace;
  readonly mode: 'enforce' | 'warn' | 'audit';
  readonly images: readonly ImageGlob[];
  readonly match: readonly ResourceMatch[];
  readonly authorities: readonly Authority[];
  /** over what the authorities have found; runs where one of them has found something */
  readonly policy?: PolicyProgram;
  /** `spec` as it was written, for the hash */
  readonly spec: Json;
}

/** One way in which an image may satisfy a policy. */
export type Authority = StaticAuthority | SealAuthority;

interface AuthorityCommon {
  readonly name: string;
  readonly place: SourcePlace;
}

/** Passes or fails whatever lies beside the image. */
export interface StaticAuthority extends AuthorityCommon {
  readonly kind: 'static';
  readonly action: 'pass' | 'fail';
  readonly message?: string;
}

/** Passes for seals by a key, or by a certified identity. */
export interface SealAuthority extends AuthorityCommon {
  readonly kind: 'key' | 'keyless';
  readonly signers: SignerDocument;
  /** where the seals lie, if not beside the image */
  readonly source?: EvidenceSource;
  readonly log?: LogDocument;
  /** name of a TrustRoot; asks for timestamps of its authorities instead of a log */
  readonly timestamps?: string;
  /** with any, only attestations count */
  readonly attestations: readonly AttestationDocument[];
  /** both unless told */
  readonly format?: 'legacy' | 'bundle';
  /** how many different signers there must be; 1 unless told */
  readonly threshold: number;
  /** milliseconds since the seal was logged or stamped, at most */
  readonly maxAge?: number;
}

export type SignerDocument =
  | { readonly kind: 'key'; readonly key: KeyDocument; readonly hashAlgorithm?: HashAlgorithm }
  | {
      readonly kind: 'keyless';
      /** certificates of the authority, which then stands in the place of those of the trusted root */
      readonly authority?: KeyDocument;
      readonly identities: readonly IdentityDocument[];
      /** name of a TrustRoot; the default one unless told */
      readonly trustRoot?: string;
      readonly ignoreScts: boolean;
    };

export const HASH_ALGORITHMS = ['sha224', 'sha256', 'sha384', 'sha512'] as const;
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

/** A key, or where it is. */
export type KeyDocument =
  | { readonly kind: 'keys'; readonly keys: readonly PublicKey[] }
  | { readonly kind: 'pem'; readonly pem: string; readonly place: SourcePlace }
  | { readonly kind: 'secret'; readonly name: string; readonly namespace: string; readonly place: SourcePlace }
  | { readonly kind: 'elsewhere'; readonly address: string; readonly place: SourcePlace };

/** What a text must be. */
export type TextDocument = { readonly exact: string } | { readonly expression: string };

/** Who is expected. */
export interface IdentityDocument {
  readonly place: SourcePlace;
  readonly issuer?: TextDocument;
  readonly subject?: TextDocument;
  /** by name of the claim */
  readonly claims: ReadonlyMap<string, TextDocument>;
}

export interface EvidenceSource {
  readonly place: SourcePlace;
  /** `registry/repository`; beside the image where it is left out */
  readonly repository?: string;
  readonly tagPrefix?: string;
  /** names of Secrets in the namespace of the workload */
  readonly pullSecrets: readonly string[];
}

export interface LogDocument {
  readonly place: SourcePlace;
  /** names the log that counts; nobody dials it */
  readonly url?: string;
  readonly trustRoot?: string;
}

export interface AttestationDocument {
  readonly name: string;
  readonly place: SourcePlace;
  /** a URI */
  readonly predicateType: string;
  readonly policy?: PolicyProgram;
}

/** A policy over what was attested or found. */
export interface PolicyProgram {
  readonly place: SourcePlace;
  readonly language: 'cue' | 'rego' | 'cel';
  readonly text: ProgramText;
  readonly fetchConfigFile: boolean;
  readonly includeSpec: boolean;
  readonly includeObjectMeta: boolean;
  readonly includeTypeMeta: boolean;
}

export type ProgramText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'config-map'; readonly name: string; readonly namespace: string; readonly key: string }
  | { readonly kind: 'remote'; readonly url: string; readonly sha256: string };
