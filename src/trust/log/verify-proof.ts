// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../../wire/index.ts';
import type { InclusionProof } from '../bundle/log-entry.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { decodeCheckpoint, isRekorV1Origin, hostOfLog, type Checkpoint } from './checkpoint.ts';
import { logRejection, type LogRejection } from './log-rejection.ts';
import { rootFromInclusion } from './merkle.ts';
import { noteKeyHash } from './note-key.ts';
import { decodeNote, KEY_ID_BYTES, type NoteSignature, type SignedNote } from './note.ts';
import { nameOfLog, type TransparencyLog } from './transparency-log.ts';
import { verifyLogSignature } from './verify-log-signature.ts';

/** What came of verifying a proof with its checkpoint. */
export type ProofCheck =
  | {
      readonly kind: 'accepted';
      readonly note: SignedNote;
      readonly checkpoint: Checkpoint;
      /** how many lines under the checkpoint are under another name than the log's, as those of witnesses are */
      readonly otherLines: number;
    }
  | { readonly kind: 'rejected'; readonly rejection: LogRejection };

/** Whether a leaf is in a tree that the log has signed. @param leaf hash of the leaf */
export function verifyProof(
  log: TransparencyLog,
  majorVersion: 1 | 2,
  leaf: Uint8Array,
  proof: InclusionProof,
): ProofCheck {
  const { logIndex: index, treeSize: size, hashes, rootHash } = proof;
  const root = rootFromInclusion(leaf, { index, size }, hashes);
  if (root === undefined || (rootHash.length > 0 && !sameOctets(root, rootHash)))
    return rejected(
      'log-proof-invalid',
      `a proof of ${hashes.length} hashes for leaf ${index} of ${size} that ${root === undefined ? 'cannot be one' : 'leads elsewhere'}`,
      'one that leads from this entry to its root',
    );
  let note: SignedNote;
  let checkpoint: Checkpoint;
  try {
    note = decodeNote(proof.checkpoint ?? '', 'the checkpoint');
    checkpoint = decodeCheckpoint(note.text, 'the checkpoint');
  } catch (error) {
    if (!(error instanceof TrustError) && !(error instanceof WireError)) throw error;
    return rejected('log-checkpoint-malformed', printable(error.message, 300), 'a signed checkpoint');
  }
  const origin = checkOrigin(log, majorVersion, checkpoint.origin);
  if (origin !== undefined) return { kind: 'rejected', rejection: origin };
  if (checkpoint.size !== size || !sameOctets(checkpoint.root, root))
    return rejected(
      'log-checkpoint-mismatch',
      `a checkpoint of ${checkpoint.size} leaves with the root ${shown(checkpoint.root)}`,
      `of ${size} leaves with ${shown(root)}, as the proof has`,
    );
  const line = lineOf(log, majorVersion, checkpoint.origin, note);
  if (line === undefined)
    return rejected(
      'log-checkpoint-signature-invalid',
      `a checkpoint signed by ${note.signatures.map(({ name }) => printable(name, 60)).join(', ')}`,
      `by the log ${nameOfLog(log)}`,
    );
  const otherLines = note.signatures.filter(({ name }) => name !== line.name).length;
  return { kind: 'accepted', note, checkpoint, otherLines };
}

const HOSTS = new WeakMap<TransparencyLog, string | undefined>();

/** Read once for each log that somebody holds. */
function hostOf(log: TransparencyLog): string | undefined {
  if (!HOSTS.has(log)) HOSTS.set(log, hostOfLog(log.baseUrl));
  return HOSTS.get(log);
}

// A log of Rekor v2 is told from others by its name alone. One of v1 may have that name, but those that run add the number of a tree to the
// name by which their machine knows itself.
function checkOrigin(log: TransparencyLog, majorVersion: 1 | 2, origin: string): LogRejection | undefined {
  const host = hostOf(log);
  if (origin === host || (majorVersion === 1 && isRekorV1Origin(origin))) return undefined;
  const named = `'${printable(host ?? 'the host of the log, and it has none')}'`;
  const expected = majorVersion === 1 ? `${named}, or a host and a number` : named;
  return logRejection('log-checkpoint-origin', `a checkpoint of '${printable(origin)}'`, expected);
}

// A checkpoint may bear several signatures by one log, of keys old and new; any that holds is enough. Key ids only say which to try.
function lineOf(
  log: TransparencyLog,
  majorVersion: 1 | 2,
  origin: string,
  { text, signatures }: SignedNote,
): NoteSignature | undefined {
  const message = Buffer.from(text);
  const isNamed = (keyId: Uint8Array): boolean =>
    isKeyId(keyId, log.logId) ||
    isKeyId(keyId, log.checkpointKeyId) ||
    (majorVersion === 2 && isKeyId(keyId, noteKeyHash(origin, log.publicKey)));
  return signatures.find(
    ({ name, keyId, signature }) =>
      // In Rekor v1 the name is that of a machine.
      (majorVersion === 1 || name === origin) &&
      isNamed(keyId) &&
      verifyLogSignature(log.publicKey, message, signature),
  );
}

function isKeyId(keyId: Uint8Array, whole: Uint8Array | undefined): boolean {
  return whole !== undefined && sameOctets(keyId, whole.subarray(0, KEY_ID_BYTES));
}

function shown(root: Uint8Array): string {
  return Buffer.from(root).toString('base64');
}

function rejected(code: LogRejection['code'], found: string, expected: string): ProofCheck {
  return { kind: 'rejected', rejection: logRejection(code, found, expected) };
}
