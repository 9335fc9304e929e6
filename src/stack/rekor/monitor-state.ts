// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { RightEdge, TrustError } from '../../trust/index.ts';
import { decodeBase64, encodeBase64, isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { RekorError } from './rekor-error.ts';

/** What is remembered of a log between two looks at it: whatever it shows next must be this tree, and more. */
export interface MonitorState {
  readonly origin: string;
  /** of the note key that signs it, in hex: shards that follow each other under one name are told apart by it */
  readonly keyId?: string;
  readonly size: number;
  /** of `planRoot(size)`, 32 bytes each: all that it takes to go on from here */
  readonly edge: readonly Uint8Array[];
}

const MAX_BYTES = 64 * 1024;

/** Nothing was seen of it so far. */
export function newMonitorState(origin: string): MonitorState {
  return { origin, size: 0, edge: [] };
}

/** For a file. */
export function encodeMonitorState({ origin, keyId, size, edge }: MonitorState): Uint8Array {
  const rootHash = encodeBase64(RightEdge.restore(size, edge).root());
  const state = { origin, keyId, size, rootHash, edge: edge.map((one) => encodeBase64(one)) };
  return Buffer.from(`${JSON.stringify({ ...state, sum: sumOf(origin, keyId, size, rootHash) }, undefined, 2)}\n`);
}

/** A file that was cut or mixed up would make the log look inconsistent; and one edge may fit several sizes. */
function sumOf(origin: string, keyId: string | undefined, size: number, rootHash: string): string {
  return hash('sha256', `${origin}\n${size}\n${rootHash}\n${keyId === undefined ? '' : `${keyId}\n`}`, 'hex');
}

/**
 * Reads it back.
 *
 * @param what names the file in errors
 * @throws RekorError `settings-malformed`; WireError `json-malformed`, `json-too-deep`, `too-large`, `base64-malformed`
 */
export function decodeMonitorState(bytes: Uint8Array, what: string): MonitorState {
  const state = parseJson(bytes, { what, maxBytes: MAX_BYTES, maxDepth: 4 });
  if (!isJsonObject(state)) throw malformed(what, 'it is no object');
  const { origin, keyId, size, rootHash, edge, sum } = state;
  if (typeof origin !== 'string' || origin === '') throw malformed(what, "it has no text 'origin'");
  if (keyId !== undefined && (typeof keyId !== 'string' || !/^[0-9a-f]{8}$/.test(keyId)))
    throw malformed(what, "its 'keyId' is not 8 hexadecimal digits");
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw malformed(what, "it has no number 'size'");
  if (typeof rootHash !== 'string') throw malformed(what, "it has no text 'rootHash'");
  const hashes = readHashes(edge, what);
  if (encodeBase64(restore(size, hashes, what).root()) !== rootHash)
    throw malformed(what, "its 'edge' does not lead to its 'rootHash'");
  if (sum !== sumOf(origin, keyId, size, rootHash)) throw malformed(what, "its 'sum' is that of another state");
  return { origin, ...(keyId === undefined ? {} : { keyId }), size, edge: hashes };
}

function readHashes(edge: Json | undefined, what: string): readonly Uint8Array[] {
  if (!Array.isArray(edge)) throw malformed(what, "it has no list 'edge'");
  return edge.map((item: Json) => {
    if (typeof item !== 'string') throw malformed(what, "its 'edge' has other than text");
    return decodeBase64(item, `${what}, 'edge',`);
  });
}

function restore(size: number, hashes: readonly Uint8Array[], what: string): RightEdge {
  try {
    return RightEdge.restore(size, hashes);
  } catch (error) {
    if (error instanceof TrustError) throw malformed(what, error.message);
    throw error;
  }
}

function malformed(what: string, found: string): RekorError {
  return new RekorError('settings-malformed', `${what} is not what a monitor has written: ${found}`);
}
