// SPDX-License-Identifier: Apache-2.0

/** What the operator must do: with keys that are kept offline, and with certificates that grow old. */
export type TufWarningCode =
  /** half of the root's life is over */
  | 'root-half-life'
  /** half of the targets' life is over */
  | 'targets-half-life'
  /** a new key waits to be named by the root */
  | 'root-outdated'
  /** new targets wait to be signed: clients still get the old ones */
  | 'targets-outdated'
  /** keys that are to be kept offline still lie in the data directory */
  | 'offline-keys-present'
  /** half of the life of an authority's certificate is over: its key is to be rotated */
  | 'certificate-half-life';

/** Something that only the operator can do. */
export interface TufWarning {
  readonly code: TufWarningCode;
  readonly message: string;
  /** when clients begin to refuse, if nothing is done */
  readonly expires?: Date;
}
