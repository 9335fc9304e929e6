// SPDX-License-Identifier: Apache-2.0
import type { SqlDatabase } from '../../store/index.ts';

/** What the operator should hear of; nobody waits for it. */
export interface LogWarning {
  readonly code:
    /** the clock went backwards: entries bear the time of the entry before them until it has caught up */
    | 'clock-backwards'
    /** a tree was published with fewer cosignatures than it should have */
    | 'witness-missing'
    /** a tree that was left unpublished by the last run could not be published at the start */
    | 'publication-failed';
  readonly message: string;
}

/**
 * Asks witnesses for their word on a checkpoint.
 *
 * @param checkpoint the signed note
 * @param oldSize of the tree that was shown before; 0 where there is none
 * @param proof that the new tree follows that one
 * @param proofFrom the same for a witness that has seen another size
 * @returns lines of signatures that hold, as notes have them
 * @see https://c2sp.org/tlog-witness
 */
export type Cosign = (
  checkpoint: string,
  oldSize: number,
  proof: readonly Uint8Array[],
  proofFrom: (oldSize: number) => Promise<readonly Uint8Array[]>,
) => Promise<readonly string[]>;

/** Who must have seen a tree before it is shown. */
export interface Witnesses {
  readonly cosign: Cosign;
  /** lines that a published checkpoint has at least */
  readonly quorum: number;
  /** whether a tree with fewer is withheld (`true`), or shown with a warning */
  readonly required: boolean;
}

/** How a log is opened. */
export interface AppendLogOptions {
  readonly database: SqlDatabase;
  /** of its tables: a-z, 0-9 and _, at most 32; several logs can lie in one database */
  readonly name: string;
  /** the first line of its checkpoints: a log that was begun under another is not opened */
  readonly origin: string;
  /** Signs a tree: a note (C2SP signed-note) over a checkpoint (C2SP tlog-checkpoint). */
  readonly signCheckpoint: (size: number, rootHash: Uint8Array) => Promise<string> | string;
  readonly now: () => Date;
  readonly warn?: (warning: LogWarning) => void;
  /** Refuse to begin a log where there is none: one that was lost and is begun anew under its old key is a fork. */
  readonly mustExist?: boolean;
  readonly witnesses?: Witnesses;
  /** Called with each checkpoint before anybody else sees it; where it fails the tree is not shown. */
  readonly onPublished?: (checkpoint: string) => Promise<void>;
  /** entries that wait at most; more are refused as `log-busy`. 4,096 unless told */
  readonly maxWaiting?: number;
}
