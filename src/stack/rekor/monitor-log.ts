// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  certificateKey,
  decodeCertificate,
  decodeCheckpoint,
  decodeLogBody,
  decodeNote,
  decodePublicKey,
  entriesPath,
  leafHash,
  matchIdentity,
  readFulcioClaims,
  RightEdge,
  TILE_WIDTH,
  TrustError,
  type Certificate,
  type CertificateIdentity,
  type Checkpoint,
  type ExpectedIdentity,
  type LogBody,
  type LogVerifier,
  type NoteKey,
} from '../../trust/index.ts';
import { WireError } from '../../wire/index.ts';
import type { LogReader } from './log-reader.ts';
import type { MonitorState } from './monitor-state.ts';
import { RekorError } from './rekor-error.ts';

/** What is looked for in a log. */
export interface Watch {
  /** identities of yours: entries by certificates for these are yours to explain */
  readonly identities: readonly ExpectedIdentity[];
  /** keys of yours: SHA-256 of the SubjectPublicKeyInfo in DER, in hex */
  readonly keys?: readonly string[];
  /** whether an entry of yours is one that you know of; none is, unless told */
  readonly expected?: (entry: WatchedEntry) => boolean | Promise<boolean>;
}

/** An entry that is by somebody who is watched. */
export interface WatchedEntry {
  readonly index: number;
  readonly body: LogBody;
  /** who the certificates of the entry say that they are; none, if it is by a key */
  readonly identities: readonly CertificateIdentity[];
  /** of its signers: SHA-256 of the SubjectPublicKeyInfo in DER, in hex */
  readonly keys: readonly string[];
}

/** What a look at a log has brought. */
export interface MonitorReport {
  /** to be kept for the next look */
  readonly state: MonitorState;
  /** the tree that the log has signed */
  readonly checkpoint: Checkpoint;
  /** entries that were read for the first time */
  readonly read: number;
  /** places of entries that are not of a form that is read here */
  readonly unreadable: readonly number[];
  /** entries by those who are watched that are not expected */
  readonly unexpected: readonly WatchedEntry[];
}

/**
 * Looks at what a log has entered since the last look: reads every new entry, computes the tree that they lead to from the one that was
 * seen before, and demands that this is the tree which the log has signed. So nothing that was seen was changed or taken away, and no
 * entry of the tree was hidden from this look.
 *
 * @param options.key by which the log signs its notes
 * @param options.state of the last look; `newMonitorState(origin)` at first, which reads the log from its beginning
 * @throws RekorError `log-inconsistent`: the log has forked, shrunk, or shows what it has not signed. Tell somebody, and keep the state
 * @example
 * const report = await monitorLog({ reader: httpLogReader({ http, baseUrl }), key, state, watch: { identities } });
 * await writeFile('state.json', encodeMonitorState(report.state));
 */
export async function monitorLog(options: {
  readonly reader: LogReader;
  readonly key: NoteKey;
  readonly state: MonitorState;
  readonly watch: Watch;
}): Promise<MonitorReport> {
  const { reader, state, watch } = options;
  if (state.keyId !== undefined && state.keyId !== Buffer.from(options.key.keyId).toString('hex'))
    throw inconsistent(`what was seen of ${state.origin} was signed by another key (${state.keyId})`);
  const checkpoint = verifyCheckpoint(await reader.checkpoint(), options.key, state.origin);
  if (checkpoint.size < state.size)
    throw inconsistent(`${state.origin} has shrunk from ${state.size} entries to ${checkpoint.size}`);
  const edge = RightEdge.restore(state.size, state.edge);
  const unreadable: number[] = [];
  const unexpected: WatchedEntry[] = [];
  while (edge.size < checkpoint.size) {
    for (const leaf of await newLeaves(reader, edge.size, checkpoint.size)) {
      const index = edge.size;
      edge.append(leafHash(leaf));
      const entry = readEntry(index, leaf);
      if (entry === undefined) unreadable.push(index);
      else if (isWatched(entry, watch) && (await watch.expected?.(entry)) !== true) unexpected.push(entry);
    }
  }
  if (Buffer.compare(edge.root(), checkpoint.root) !== 0)
    throw inconsistent(
      `${state.origin} has signed a tree of ${checkpoint.size} entries that does not follow from the ${state.size} seen before and those it shows`,
    );
  const keyId = Buffer.from(options.key.keyId).toString('hex');
  const seen = { origin: state.origin, keyId, size: edge.size, edge: edge.hashes() };
  return { state: seen, checkpoint, read: edge.size - state.size, unreadable, unexpected };
}

function verifyCheckpoint(document: string, key: NoteKey, origin: string): Checkpoint {
  const note = decodeNote(document, 'the checkpoint');
  const checkpoint = decodeCheckpoint(note.text, 'the checkpoint');
  if (checkpoint.origin !== origin)
    throw inconsistent(`the log shows a checkpoint of '${checkpoint.origin}', expected '${origin}'`);
  const message = Buffer.from(note.text);
  const signed = note.signatures.some(
    ({ name, keyId, signature }) =>
      name === key.name && Buffer.compare(keyId, key.keyId) === 0 && key.verify(message, signature),
  );
  if (signed) return checkpoint;
  throw inconsistent(`${origin} shows a checkpoint that its key has not signed`);
}

/** The leaves of one tile that come after those that are known. */
async function newLeaves(reader: LogReader, known: number, size: number): Promise<readonly Uint8Array[]> {
  const index = Math.floor(known / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
  const path = entriesPath({ index, width });
  // A log may drop a partial tile once the whole is there.
  const tile = (await reader.tile(path)) ?? (await reader.tile(entriesPath({ index, width: TILE_WIDTH })));
  if (tile === undefined) throw inconsistent(`the log has signed ${size} entries, and does not show ${path}`);
  return readTile(tile, width, path).slice(known % TILE_WIDTH);
}

function readTile(tile: Uint8Array, width: number, path: string): readonly Uint8Array[] {
  const octets = Buffer.from(tile.buffer, tile.byteOffset, tile.byteLength);
  const leaves: Uint8Array[] = [];
  for (let at = 0; leaves.length < width;) {
    const length = at + 2 <= octets.length ? octets.readUInt16BE(at) : -1;
    if (length < 0 || at + 2 + length > octets.length)
      throw inconsistent(`the log shows ${leaves.length} entries in ${path}, expected ${width}`);
    leaves.push(octets.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return leaves;
}

function readEntry(index: number, leaf: Uint8Array): WatchedEntry | undefined {
  try {
    const body = decodeLogBody(leaf);
    const verifiers = 'verifier' in body ? [body.verifier] : body.signatures.map(({ verifier }) => verifier);
    const read = verifiers.map(readVerifier);
    return {
      index,
      body,
      identities: read.flatMap(({ identities }) => identities),
      keys: [...new Set(read.map(({ key }) => key))],
    };
  } catch (error) {
    if (error instanceof TrustError || error instanceof WireError) return undefined;
    throw error;
  }
}

interface Signatory {
  readonly identities: readonly CertificateIdentity[];
  readonly key: string;
}

function readVerifier({ kind, der }: LogVerifier): Signatory {
  if (kind === 'public-key') return { identities: [], key: fingerprint(decodePublicKey(der, 'the key').spki) };
  const certificate = decodeCertificate(der, 'the certificate');
  const key = fingerprint(certificateKey(certificate, 'the certificate').spki);
  const claims = claimsOf(certificate);
  // Whoever verifies refuses a certificate of several names. Whoever watches wants to hear of it.
  const identities = certificate.subjectAltNames.flatMap((name) =>
    name.kind === 'other' ? [] : [{ subject: name.value, kind: name.kind, claims }],
  );
  return { identities, key };
}

function claimsOf(certificate: Certificate): CertificateIdentity['claims'] {
  try {
    return readFulcioClaims(certificate);
  } catch (error) {
    if (error instanceof TrustError) return {};
    throw error;
  }
}

function isWatched(entry: WatchedEntry, { identities, keys = [] }: Watch): boolean {
  return (
    entry.keys.some((key) => keys.includes(key)) ||
    entry.identities.some((identity) => matchIdentity(identity, identities).kind === 'matched')
  );
}

function fingerprint(spki: Uint8Array): string {
  return hash('sha256', spki, 'hex');
}

function inconsistent(message: string): RekorError {
  return new RekorError('log-inconsistent', message);
}
