// SPDX-License-Identifier: Apache-2.0
import type { LogEntry } from '../bundle/log-entry.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';
import type { PublicKey } from '../key/public-key.ts';
import { leafHash } from './merkle.ts';

/** A log that is trusted, as a trusted root lists it. */
export interface TransparencyLog {
  /** the host of it is the origin of a log of Rekor v2 */
  readonly baseUrl: string;
  readonly publicKey: PublicKey;
  /** what entries name it by: SHA-256 of the key (Rekor v1), or the whole hash of the key under the log's name (Rekor v2) */
  readonly logId: Uint8Array;
  /** 4 octets; by which its signatures are found under checkpoints, where that is not what the key and the name give */
  readonly checkpointKeyId?: Uint8Array;
  /** when its key is trusted; always, if absent */
  readonly validFor?: ValidityPeriod;
  /** who runs it */
  readonly operator?: string;
  /** if it is known, entries of the other version are not believed */
  readonly majorVersion?: 1 | 2;
}

/**
 * What tells an entry from another: two entries of a bundle with the same are one, in whatever form they are given.
 *
 * A threshold must count logs (by their keys), never entries: one log can be asked to enter a thing as often as one likes.
 */
export function logEntryIdentity({ logKeyId = new Uint8Array(), logIndex, canonicalizedBody }: LogEntry): string {
  const name = Buffer.from(logKeyId).toString('base64');
  // Without its body, an entry of Rekor v2 is known by its place.
  return canonicalizedBody.length === 0
    ? `${name} ${logIndex}`
    : `${name} ${Buffer.from(leafHash(canonicalizedBody)).toString('hex')}`;
}

/** The name of a log for messages: its id in base64. */
export function nameOfLog({ logId }: Pick<TransparencyLog, 'logId'>): string {
  return Buffer.from(logId).toString('base64');
}
