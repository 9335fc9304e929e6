// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, encodeBase64, isJsonObject, type Json } from '../../wire/index.ts';
import type { InclusionProof, LogEntry } from '../bundle/log-entry.ts';
import { parseStrictObject, type JsonObject } from '../bundle/strict-json.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

// Entries in the JSON of Rekor v1, which is not that of bundles: hexadecimal where those have base64, numbers where those have text.

const MAX_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 32;
const MAX_HASHES = 64;

/**
 * Reads what a log of Rekor v1 answers about entries: each under its name of 64 or 80 hexadecimal digits.
 *
 * @param what names the answer in errors
 * @throws TrustError `log-entry-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml (`LogEntry`)
 */
export function decodeRekorEntries(bytes: Uint8Array, what: string): ReadonlyMap<string, LogEntry> {
  const answer = Object.entries(parseStrictObject(bytes, what, 'log-entry-malformed', MAX_BYTES));
  if (answer.length > MAX_ENTRIES) throw malformed(what, `${answer.length} entries, at most ${MAX_ENTRIES} are read`);
  return new Map(
    answer.map(([id, value]) => {
      if (!/^(?:[0-9a-f]{16})?[0-9a-f]{64}$/.test(id)) throw malformed(what, `an entry named '${printable(id, 90)}'`);
      return [id, readEntry(object(value, what, id), `${what}, entry ${id},`)];
    }),
  );
}

/**
 * Reads the annotation in which cosign 2 keeps the promise of a log, `dev.sigstore.cosign/bundle`.
 *
 * @param what names the annotation in errors
 * @throws TrustError `log-entry-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 */
export function decodeRekorBundle(bytes: Uint8Array, what: string): LogEntry {
  return readRekorBundle(parseStrictObject(bytes, what, 'log-entry-malformed', MAX_BYTES), what);
}

/** The same, where it is part of a document: `rekorBundle` in the bundles of cosign 2. @throws as `decodeRekorBundle` */
export function readRekorBundle(bundle: Json, what: string): LogEntry {
  const { SignedEntryTimestamp: promise, Payload: payload } = object(bundle, what, 'it');
  const signedEntryTimestamp = base64(promise, what, 'SignedEntryTimestamp');
  return { ...readPayload(object(payload, what, 'Payload'), what), signedEntryTimestamp };
}

/**
 * Writes that annotation as cosign 2 does.
 *
 * @throws TrustError `log-entry-malformed` for an entry without a promise or the time or log that it is of
 */
export function encodeRekorBundle(entry: LogEntry): string {
  const { signedEntryTimestamp, integratedTime, logKeyId, logIndex, canonicalizedBody } = entry;
  if (signedEntryTimestamp === undefined || integratedTime === undefined || logKeyId === undefined)
    throw malformed('the log entry', 'no promise, or none with a time and a log');
  return JSON.stringify({
    SignedEntryTimestamp: encodeBase64(signedEntryTimestamp),
    Payload: {
      body: encodeBase64(canonicalizedBody),
      integratedTime,
      logIndex,
      logID: Buffer.from(logKeyId).toString('hex'),
    },
  });
}

function readEntry(entry: JsonObject, what: string): LogEntry {
  const { verification } = entry;
  const { inclusionProof, signedEntryTimestamp } =
    verification === undefined ? {} : object(verification, what, 'verification');
  return {
    ...readPayload(entry, what),
    ...(signedEntryTimestamp === undefined
      ? {}
      : { signedEntryTimestamp: base64(signedEntryTimestamp, what, 'signedEntryTimestamp') }),
    ...(inclusionProof === undefined
      ? {}
      : { inclusionProof: readProof(object(inclusionProof, what, 'inclusionProof'), what) }),
  };
}

function readPayload({ body, integratedTime, logIndex, logID }: JsonObject, what: string): LogEntry {
  const time = count(integratedTime, what, 'integratedTime');
  return {
    logIndex: count(logIndex, what, 'logIndex'),
    logKeyId: hex(logID, what, 'logID'),
    ...(time === 0 ? {} : { integratedTime: time }),
    canonicalizedBody: base64(body, what, 'body'),
  };
}

function readProof(proof: JsonObject, what: string): InclusionProof {
  const { logIndex, rootHash, treeSize, hashes, checkpoint } = proof;
  if (!Array.isArray(hashes) || hashes.length > MAX_HASHES)
    throw malformed(what, `no 'hashes', or more than ${MAX_HASHES}`);
  if (checkpoint !== undefined && typeof checkpoint !== 'string') throw malformed(what, "no text 'checkpoint'");
  return {
    logIndex: count(logIndex, what, 'inclusionProof.logIndex'),
    rootHash: hex(rootHash, what, 'rootHash'),
    treeSize: count(treeSize, what, 'treeSize'),
    hashes: hashes.map((hash: Json) => hex(hash, what, 'hashes')),
    ...(checkpoint === undefined ? {} : { checkpoint }),
  };
}

function object(value: Json | undefined, what: string, name: string): JsonObject {
  if (!isJsonObject(value)) throw malformed(what, `no object '${printable(name, 90)}'`);
  return value;
}

function count(value: Json | undefined, what: string, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw malformed(what, `no whole number '${name}'`);
  return value;
}

function base64(value: Json | undefined, what: string, name: string): Uint8Array {
  if (typeof value !== 'string') throw malformed(what, `no text '${name}'`);
  return decodeBase64(value, `'${name}' of ${what}`);
}

function hex(value: Json | undefined, what: string, name: string): Uint8Array {
  if (typeof value !== 'string' || !/^(?:[0-9a-f]{2})*$/.test(value)) throw malformed(what, `no hexadecimal '${name}'`);
  return new Uint8Array(Buffer.from(value, 'hex'));
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('log-entry-malformed', `${what} has ${found}`);
}
