// SPDX-License-Identifier: Apache-2.0
import type { SourcePlace } from './fault.ts';
import type { IdentityDocument, KeyDocument, SealAuthority } from './policy.ts';

/** What becomes of an image that no policy is about. */
export const NO_MATCH = ['deny', 'warn', 'allow'] as const;
export type NoMatch = (typeof NO_MATCH)[number];

/** What holds for all policies together. Several documents add up. */
export interface SettingsDocument {
  readonly kind: 'PolicySettings';
  readonly place: SourcePlace;
  readonly noMatch?: NoMatch;
  readonly mirrors: readonly MirrorDocument[];
  readonly revocations: readonly RevocationDocument[];
  /** whose verification summaries count */
  readonly gates: readonly SealAuthority[];
  readonly summaries?: SummarySettings;
  readonly exceptions?: ExceptionSettings;
}

/** What becomes of verification summaries. */
export interface SummarySettings {
  readonly place: SourcePlace;
  /** nothing is admitted without one */
  readonly demand: boolean;
  /** milliseconds since it was verified, at most */
  readonly maxAge?: number;
}

/** Whose exceptions count. */
export interface ExceptionSettings {
  readonly signers: readonly SealAuthority[];
  /** milliseconds from issue to expiry, at most */
  readonly maxLifetime?: number;
}

/** A signed exception: a DSSE envelope or a bundle, as JSON. */
export interface ExceptionDocument {
  readonly place: SourcePlace;
  /** what it is called in messages: its file and line, or the resource */
  readonly source: string;
  readonly bytes: Uint8Array;
}

/** Images that are named by one place and fetched from another. */
export interface MirrorDocument {
  /** what policies call it: a registry or the beginning of a repository, for example `index.docker.io/library` */
  readonly upstream: string;
  /** where it lies */
  readonly mirror: string;
}

/** A signer whose seals no longer count, from a time on. */
export interface RevocationDocument {
  readonly place: SourcePlace;
  readonly signer:
    | { readonly kind: 'key'; readonly key: KeyDocument }
    | { readonly kind: 'identity'; readonly identity: IdentityDocument };
  /** seals that were logged or stamped before still count; without it none does */
  readonly since?: Date;
  readonly reason: string;
}
