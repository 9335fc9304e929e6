// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, type Json } from '../../wire/index.ts';
import { MessageReader } from './proto-json.ts';
import { parseStrictObject } from './strict-json.ts';

/**
 * An entry of a transparency log, as the bundle has it. Nothing of it has been verified.
 *
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_rekor.proto
 */
export interface LogEntry {
  readonly logIndex: number;
  /** SHA-256 of the log's public key (Rekor v1), or its key's note hash (Rekor v2) */
  readonly logKeyId?: Uint8Array;
  readonly kindVersion?: { readonly kind: string; readonly version: string };
  /** seconds since 1970; Rekor v2 has none */
  readonly integratedTime?: number;
  /** the log's promise to include the entry, Rekor v1 */
  readonly signedEntryTimestamp?: Uint8Array;
  readonly inclusionProof?: InclusionProof;
  /** none if the bundle has none */
  readonly canonicalizedBody: Uint8Array;
}

/** That an entry is in a log. */
export interface InclusionProof {
  readonly logIndex: number;
  readonly rootHash: Uint8Array;
  readonly treeSize: number;
  /** from the leaf to the root */
  readonly hashes: readonly Uint8Array[];
  /** a signed note */
  readonly checkpoint?: string;
}

/** A tree of 2^63 leaves has paths no longer. */
const MAX_HASHES = 64;

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads what a log of Rekor v2 answers about an entry: `TransparencyLogEntry` in ProtoJSON.
 *
 * @param what names the answer in errors
 * @throws TrustError `log-entry-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 */
export function decodeLogEntry(bytes: Uint8Array, what: string): LogEntry {
  const fields = parseStrictObject(bytes, what, 'log-entry-malformed', MAX_BYTES);
  return readLogEntry(new MessageReader(fields, what, 'log-entry-malformed'));
}

/** @throws TrustError `bundle-malformed`, or the reader's code; WireError `base64-malformed` */
export function readLogEntry(entry: MessageReader): LogEntry {
  const logIndex = entry.count('logIndex');
  const logId = entry.message('logId');
  const logKeyId = logId?.bytes('keyId');
  logId?.end();
  const kindVersion = entry.message('kindVersion');
  const kind = kindVersion?.string('kind') ?? '';
  const version = kindVersion?.string('version') ?? '';
  kindVersion?.end();
  const integratedTime = entry.count('integratedTime');
  const promise = entry.message('inclusionPromise');
  const signedEntryTimestamp = promise?.bytes('signedEntryTimestamp');
  promise?.end();
  const proof = entry.message('inclusionProof');
  const canonicalizedBody = entry.bytes('canonicalizedBody');
  entry.end();
  return {
    logIndex,
    ...(logKeyId === undefined ? {} : { logKeyId }),
    ...(kindVersion === undefined ? {} : { kindVersion: { kind, version } }),
    ...(integratedTime === 0 ? {} : { integratedTime }),
    ...(signedEntryTimestamp === undefined ? {} : { signedEntryTimestamp }),
    ...(proof === undefined ? {} : { inclusionProof: readInclusionProof(proof) }),
    canonicalizedBody,
  };
}

/** The entry as ProtoJSON; unset fields are left out, 64-bit numbers are in quotes. */
export function logEntryJson(entry: LogEntry): Json {
  const { logIndex, logKeyId, kindVersion, integratedTime, signedEntryTimestamp, inclusionProof, canonicalizedBody } =
    entry;
  return {
    ...number('logIndex', logIndex),
    ...(logKeyId === undefined ? {} : { logId: octets('keyId', logKeyId) }),
    ...(kindVersion === undefined
      ? {}
      : { kindVersion: { ...text('kind', kindVersion.kind), ...text('version', kindVersion.version) } }),
    ...number('integratedTime', integratedTime ?? 0),
    ...(signedEntryTimestamp === undefined
      ? {}
      : { inclusionPromise: octets('signedEntryTimestamp', signedEntryTimestamp) }),
    ...(inclusionProof === undefined ? {} : { inclusionProof: inclusionProofJson(inclusionProof) }),
    ...octets('canonicalizedBody', canonicalizedBody),
  };
}

function readInclusionProof(proof: MessageReader): InclusionProof {
  const logIndex = proof.count('logIndex');
  const rootHash = proof.bytes('rootHash');
  const treeSize = proof.count('treeSize');
  const hashes = proof.bytesList('hashes', MAX_HASHES);
  const note = proof.message('checkpoint');
  const checkpoint = note?.string('envelope');
  note?.end();
  proof.end();
  return { logIndex, rootHash, treeSize, hashes, ...(checkpoint === undefined ? {} : { checkpoint }) };
}

function inclusionProofJson({ logIndex, rootHash, treeSize, hashes, checkpoint }: InclusionProof): Json {
  return {
    ...number('logIndex', logIndex),
    ...octets('rootHash', rootHash),
    ...number('treeSize', treeSize),
    ...(hashes.length === 0 ? {} : { hashes: hashes.map((hash) => encodeBase64(hash)) }),
    ...(checkpoint === undefined ? {} : { checkpoint: text('envelope', checkpoint) }),
  };
}

function number(name: string, value: number): Record<string, string> {
  return value === 0 ? {} : { [name]: String(value) };
}

function text(name: string, value: string): Record<string, string> {
  return value === '' ? {} : { [name]: value };
}

function octets(name: string, value: Uint8Array): Record<string, string> {
  return text(name, encodeBase64(value));
}
