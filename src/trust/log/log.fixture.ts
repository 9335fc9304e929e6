// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import type { LogEntry } from '../bundle/log-entry.ts';
import { generatePrivateKey, type PrivateKey } from '../key/private-key.ts';
import type { KeyAlgorithm } from '../key/public-key.ts';
import { keySigner } from '../key/signer.ts';
import { encodeLogBody, type LogBody } from './canonical-body.ts';
import { encodeCheckpoint, rekorV1Origin } from './checkpoint.ts';
import { cosignedMessage, encodeCosignature } from './cosignature.ts';
import { inclusionProof, type TreeNode } from './merkle-proof.ts';
import { leafHash } from './merkle.ts';
import { decodeNoteKey, noteKeyHash, noteSigner, signNote, type NoteKey } from './note-key.ts';
import { encodeNoteSignature, type NoteSignature } from './note.ts';
import { encodePromise } from './promise.ts';
import { RightEdge } from './right-edge.ts';
import type { TransparencyLog } from './transparency-log.ts';

/** A log in memory that enters whatever it is given, and how its checkpoints and promises can be made otherwise. */
export interface TestLog {
  readonly log: TransparencyLog;
  readonly key: PrivateKey;
  readonly origin: string;
  /** Enters a body as the next leaf of eleven, and gives all the evidence that the log has of it. */
  enter(body: LogBody | Uint8Array, change?: EntryChange): Promise<LogEntry>;
}

/** What the log does otherwise than it should. */
export interface EntryChange {
  readonly origin?: string;
  /** the name under the checkpoint */
  readonly signer?: string;
  readonly size?: number;
  readonly root?: Uint8Array;
  readonly signedBy?: PrivateKey;
  readonly extensions?: readonly string[];
  /** who cosigns the checkpoint, when the entry is taken */
  readonly cosignedBy?: readonly TestWitness[];
}

/** when entries are taken: within the life of the leaf that `newTestStack` makes */
export const INTEGRATED: number = Date.parse('2026-06-01T00:05:00Z') / 1000;
/** of all shards before this one */
const EARLIER = 1000;
const HOST = 'log.example';

export async function newTestLog(majorVersion: 1 | 2, algorithm?: KeyAlgorithm): Promise<TestLog> {
  const key = await generatePrivateKey(algorithm ?? (majorVersion === 1 ? 'ecdsa-p256' : 'ed25519'));
  const origin = majorVersion === 1 ? rekorV1Origin(HOST, 42n) : HOST;
  const { publicKey } = key;
  const logId = majorVersion === 1 ? Buffer.from(publicKey.hint, 'base64') : noteKeyHash(HOST, publicKey);
  const log = { baseUrl: `https://${HOST}:3000/rekor`, publicKey, logId };
  const edge = new RightEdge();
  const nodes = new Map<string, Uint8Array>();
  const append = (octets: Uint8Array): void => {
    for (const node of edge.append(leafHash(octets))) nodes.set(`${node.level} ${node.index}`, node.hash);
  };
  const read = ({ level, index }: TreeNode): Uint8Array => nodes.get(`${level} ${index}`) ?? Buffer.alloc(0);
  const enter = async (given: LogBody | Uint8Array, change: EntryChange = {}): Promise<LogEntry> => {
    const body = given instanceof Uint8Array ? given : encodeLogBody(given);
    for (let filler = 0; filler < 7; filler++) append(Buffer.from(`filler ${edge.size}`));
    const index = edge.size;
    append(body);
    for (let filler = 0; filler < 3; filler++) append(Buffer.from(`filler ${edge.size}`));
    const signer = change.signedBy ?? key;
    const text = encodeCheckpoint({
      origin: change.origin ?? origin,
      size: change.size ?? edge.size,
      root: change.root ?? edge.root(),
      extensions: change.extensions ?? [],
    });
    const named = noteSigner(change.signer ?? HOST, keySigner(signer));
    // Rekor v1 names every kind of key by its hash.
    const keyId = majorVersion === 1 ? logId.subarray(0, 4) : named.keyId;
    const inclusion = {
      logIndex: index,
      rootHash: edge.root(),
      treeSize: edge.size,
      hashes: inclusionProof(index, edge.size, read),
      checkpoint: [
        await signNote(text, [{ name: named.name, keyId, sign: (octets) => named.sign(octets) }]),
        ...(change.cosignedBy ?? []).map((witness) => encodeNoteSignature(witness.cosign(text, INTEGRATED))),
      ].join(''),
    };
    const proven = { logKeyId: logId, inclusionProof: inclusion, canonicalizedBody: body };
    if (majorVersion === 2) return { ...proven, logIndex: index, kindVersion: kindOf(given) };
    const logIndex = EARLIER + index;
    const promise = encodePromise({ body, integratedTime: INTEGRATED, logId, logIndex });
    const signedEntryTimestamp = sign(publicKey.algorithm === 'ed25519' ? null : 'sha256', promise, key.object);
    const kindVersion = kindOf(given);
    return { ...proven, logIndex, kindVersion, integratedTime: INTEGRATED, signedEntryTimestamp };
  };
  return { log, key, origin, enter };
}

function kindOf(body: LogBody | Uint8Array): { kind: string; version: string } {
  return body instanceof Uint8Array
    ? { kind: 'hashedrekord', version: '0.0.1' }
    : { kind: body.kind, version: body.version };
}

/** A witness that cosigns whatever it is given. */
export interface TestWitness {
  readonly key: NoteKey;
  readonly secret: KeyObject;
  cosign(text: string, seconds: number): NoteSignature;
}

export function newTestWitness(name: string, type: 'ed25519' | 'ml-dsa-44' = 'ed25519'): TestWitness {
  const { publicKey, privateKey: object } =
    type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44');
  const [octet, length] = type === 'ed25519' ? [4, 32] : [6, 1312];
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const octets = Buffer.concat([Uint8Array.of(octet), spki.subarray(-length)]);
  const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), octets]), 'hex').slice(0, 8);
  const key = decodeNoteKey(`${name}+${id}+${octets.toString('base64')}`);
  const cosign = (text: string, seconds: number): NoteSignature => {
    const signature = encodeCosignature(seconds, sign(null, cosignedMessage(text, key, seconds), object));
    return { name, keyId: key.keyId, signature };
  };
  return { key, secret: object, cosign };
}
