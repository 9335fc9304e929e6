// SPDX-License-Identifier: Apache-2.0
import { encodeBase64 } from '../../wire/index.ts';

/** What a log of Rekor v1 promises: to have this entry at that place, taken at that time. */
export interface LogPromise {
  /** what the log keeps of the entry */
  readonly body: Uint8Array;
  /** seconds since 1970 */
  readonly integratedTime: number;
  /** SHA-256 of the log's key */
  readonly logId: Uint8Array;
  /** across all shards of the log */
  readonly logIndex: number;
}

/**
 * The octets that a log signs to promise an entry (the signed entry timestamp).
 *
 * Canonical JSON as it stands: nothing in it needs to be escaped, and the members are in order.
 *
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml (`signedEntryTimestamp`)
 */
export function encodePromise({ body, integratedTime, logId, logIndex }: LogPromise): Uint8Array {
  const logID = Buffer.from(logId).toString('hex');
  return Buffer.from(
    `{"body":"${encodeBase64(body)}","integratedTime":${integratedTime},"logID":"${logID}","logIndex":${logIndex}}`,
  );
}
