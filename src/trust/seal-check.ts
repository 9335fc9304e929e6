// SPDX-License-Identifier: Apache-2.0
import type { Statement } from './bundle/statement.ts';
import type { CertificateIdentity } from './certificate/certificate-identity.ts';
import type { CertificateRejectionCode } from './certificate/certificate-rejection.ts';
import type { Certificate } from './certificate/certificate.ts';
import type { ExpectedIdentity, IdentityRejectionCode } from './identity/identity.ts';
import type { PublicKey } from './key/public-key.ts';
import type { SignatureScheme } from './key/verify-signature.ts';
import type { LogRejectionCode } from './log/log-rejection.ts';
import type { Cosignature } from './log/cosignature.ts';
import type { NoteKey } from './log/note-key.ts';
import type { TransparencyLog } from './log/transparency-log.ts';
import type { TrustedRoot } from './root/trusted-root.ts';
import type { TimestampAuthority } from './timestamp/timestamp-authority.ts';
import type { TimestampRejectionCode } from './timestamp/timestamp-rejection.ts';

/** What a bundle should be a seal of. Of a digest a statement must speak, and a signature over bytes be made with that hash. */
export type Artifact =
  | { readonly kind: 'digest'; readonly algorithm: 'sha256' | 'sha384' | 'sha512'; readonly hex: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** Who must have sealed. */
export type SealExpectation =
  /** any of these keys; with a trusted root, a log must have the signature as well */
  | ({ readonly keys: readonly PublicKey[] } & Partial<EvidenceDemand>)
  /** any of these, by a certificate of an authority of the trusted root */
  | ({ readonly identities: readonly ExpectedIdentity[] } & EvidenceDemand);

/** What must be shown beside the signature, and whom one believes about it. */
export interface EvidenceDemand {
  readonly trustedRoot: TrustedRoot;
  /** asks for no log, and does not look at what is said of one: neither is its time known then */
  readonly ignoreLog?: boolean;
  /** asks for no timestamps of certificate logs */
  readonly ignoreScts?: boolean;
  /**
   * lets certificates that lie beside the one of a signature lead from it to an authority of the trusted root, as if that listed them: for
   * somebody who knows their root, and not who is below it
   */
  readonly carriedChain?: boolean;
  /** asks for timestamps, even where a log gives the time */
  readonly signedTimestamps?: boolean;
  /** when a certificate must be valid where the log is ignored and no timestamp says when it was used; without it none is accepted then */
  readonly now?: Date;
  /** how many logs, timestamp authorities and certificate logs there must be, one of each unless told: of these, not of what they said */
  readonly thresholds?: { readonly logs?: number; readonly timestamps?: number; readonly scts?: number };
  /** who must have seen a log before its entries count: a trusted root has no place for them */
  readonly witnesses?: WitnessDemand;
}

/** Which witnesses are believed, and how many of them must have cosigned the checkpoint of an entry. */
export interface WitnessDemand {
  readonly keys: readonly NoteKey[];
  /** by name: a witness with two keys is one */
  readonly threshold: number;
}

/** Why a bundle is no seal by whom one expects. Stable: programs tell them apart by these. */
export type RejectionCode =
  /** none of the expected keys made the signature over this content; or not the key of the certificate beside it */
  | 'signature-invalid'
  /** an envelope without a signature, or with more than one */
  | 'signature-count'
  /** the envelope holds something else than an in-toto statement */
  | 'payload-type-unexpected'
  /** properly signed, and no statement */
  | 'statement-malformed'
  /** properly signed, and no simple-signing document */
  | 'payload-malformed'
  /** properly signed, and about another artifact: a seal that was moved here */
  | 'subject-mismatch'
  /** the bundle names another digest than the artifact has */
  | 'digest-mismatch'
  /** the signature is over bytes of which only the digest is at hand */
  | 'artifact-missing'
  /** sealed by a certificate, and by none of the expected keys */
  | 'certificate-material'
  /** sealed by a key where a certificate was expected */
  | 'key-material'
  /** the certificate cannot be read */
  | 'certificate-malformed'
  /** no log has the signature */
  | 'log-missing'
  /** an entry of a log is there twice */
  | 'log-entry-duplicate'
  /** entries of fewer logs than are wanted */
  | 'log-threshold'
  /** entries of logs, under checkpoints that fewer witnesses have cosigned than are wanted */
  | 'witness-threshold'
  /** no timestamp, and one is wanted */
  | 'timestamp-missing'
  /** timestamps of fewer authorities than are wanted */
  | 'timestamp-threshold'
  | LogRejectionCode
  | TimestampRejectionCode
  | CertificateRejectionCode
  | IdentityRejectionCode;

/** Why, and what would have been right; for a person to read. Both texts are one line, safe to print. */
export interface Rejection {
  readonly code: RejectionCode;
  readonly found: string;
  readonly expected: string;
}

/** Who made a seal. */
export type SealSigner =
  | { readonly kind: 'key'; readonly key: PublicKey }
  | { readonly kind: 'identity'; readonly identity: CertificateIdentity; readonly certificate: Certificate };

/** A log that has the signature. */
export interface LoggedEntry {
  readonly log: TransparencyLog;
  readonly index: number;
  /** when the log took it, where it has signed that */
  readonly integratedTime?: Date;
  /** of the witnesses that were asked for: those whose cosignatures under its checkpoint hold */
  readonly witnesses: readonly Cosignature[];
  /** how many lines stand under its checkpoint by others than the log, whether or not anybody knows their keys */
  readonly cosignatureLines: number;
}

/** A timestamp of the signature. */
export interface SignatureTimestamp {
  readonly authority: TimestampAuthority;
  readonly time: Date;
}

/** What was verified beside the signature. */
export interface SealEvidence {
  /** none where the log was ignored */
  readonly logEntries: readonly LoggedEntry[];
  readonly timestamps: readonly SignatureTimestamp[];
}

/** What came of verifying one bundle. */
export type SealCheck =
  | {
      readonly kind: 'accepted';
      readonly signer: SealSigner;
      readonly scheme: SignatureScheme;
      /** what was signed: this, and nothing else of the bundle, is the signer's word */
      readonly content: { readonly kind: 'statement'; readonly statement: Statement } | { readonly kind: 'bytes' };
      /** absent where keys were expected and no trusted root was given: the log was not checked */
      readonly evidence?: SealEvidence;
    }
  | RejectedSeal;

export interface RejectedSeal {
  readonly kind: 'rejected';
  readonly rejection: Rejection;
}

export function rejected(code: RejectionCode, found: string, expected: string): RejectedSeal {
  return { kind: 'rejected', rejection: { code, found, expected } };
}

/** The reason of another operation, without what only that one has. */
export function rejectedFor({ code, found, expected }: Rejection): RejectedSeal {
  return rejected(code, found, expected);
}
