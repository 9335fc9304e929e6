// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, hash, sign } from 'node:crypto';
import {
  cosignedMessage,
  decodeCheckpoint,
  decodeNote,
  decodeNoteKey,
  encodeCosignature,
  encodeNoteSignature,
  verifyConsistency,
  type NoteKey,
  type TreeHead,
} from '../../trust/index.ts';
import { decodeBase64, type Call, type Reply, type Service } from '../../wire/index.ts';

/** A witness that remembers what it has seen, until the test ends. */
export interface TestWitness {
  readonly service: Service;
  readonly key: NoteKey;
  /** as a policy has it */
  readonly vkey: string;
  /** by origin, what it has cosigned last */
  readonly seen: Map<string, TreeHead>;
  /** bodies of the requests, in their order */
  readonly requests: string[];
}

/** @param logs whose checkpoints it cosigns, by the keys of their notes */
export function newWitness(
  name: string,
  logs: readonly NoteKey[],
  options: { readonly type?: 'ed25519' | 'ml-dsa-44'; readonly now?: () => Date } = {},
): TestWitness {
  const { type = 'ed25519', now = () => new Date() } = options;
  const { publicKey, privateKey } =
    type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44');
  const [octet, length] = type === 'ed25519' ? [4, 32] : [6, 1312];
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const octets = Buffer.concat([Uint8Array.of(octet), spki.subarray(-length)]);
  const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), octets]), 'hex').slice(0, 8);
  const vkey = `${name}+${id}+${octets.toString('base64')}`;
  const key = decodeNoteKey(vkey);
  const seen = new Map<string, TreeHead>();
  const requests: string[] = [];
  const answer = async (call: Call): Promise<Reply> => {
    const text = await textOf(call);
    if (call.target !== '/add-checkpoint') return reply(404, '');
    requests.push(text);
    const [head = '', ...rest] = text.split('\n\n');
    const [old = '', ...lines] = head.split('\n');
    const note = decodeNote(rest.join('\n\n'), 'the checkpoint');
    const checkpoint = decodeCheckpoint(note.text, 'the checkpoint');
    const log = logs.find((known) => known.name === checkpoint.origin);
    if (log === undefined) return reply(404, 'unknown log');
    const signed = note.signatures.some((line) => log.verify(Buffer.from(note.text), line.signature));
    if (!signed) return reply(403, 'not signed');
    const oldSize = Number(old.replace(/^old /, ''));
    if (oldSize > checkpoint.size) return reply(400, 'old size');
    const last = seen.get(log.name) ?? { size: 0, root: hash('sha256', '', 'buffer') };
    const conflict = { 'content-type': 'text/x.tlog.size' };
    if (oldSize !== last.size) return reply(409, `${last.size}\n`, conflict);
    const proof = lines.map((line) => decodeBase64(line, 'the proof'));
    if (last.size === checkpoint.size && Buffer.compare(last.root, checkpoint.root) !== 0)
      return reply(409, `${last.size}\n`, conflict);
    if (!verifyConsistency(last, checkpoint, proof)) return reply(422, 'not consistent');
    seen.set(log.name, checkpoint);
    const seconds = Math.floor(now().getTime() / 1000);
    const signature = encodeCosignature(seconds, sign(null, cosignedMessage(note.text, key, seconds), privateKey));
    return reply(200, encodeNoteSignature({ name, keyId: key.keyId, signature }));
  };
  const fault = (error: unknown): Reply => reply(400, error instanceof Error ? error.message : 'bad request');
  return { service: { answer, fault }, key, vkey, seen, requests };
}

function reply(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}

async function textOf({ body }: Call): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
