// SPDX-License-Identifier: Apache-2.0
import type { SqlDatabase } from '../../store/index.ts';
import { decodeCheckpoint, decodeNote, type Checkpoint, type NoteKey, type SignedNote } from '../../trust/index.ts';
import { edgeOf, loadLog } from './load-log.ts';
import { LogError } from './log-error.ts';
import { logTables } from './log-tables.ts';

/**
 * Makes sure that a log in a database (one that was restored) goes on from a checkpoint that the world has seen: that it has all entries of
 * it, and the same. Else whatever it signed next would be a fork.
 *
 * @param log.keys of the log: one of them has signed the checkpoint
 * @param checkpoint the copy that was made of it, or what a witness has
 * @throws LogError `tree-smaller` if entries are missing, `tree-forked` if they are others, `checkpoint-foreign` if it is none of this
 *   log, `log-missing` if there is no log, `log-inconsistent` if what is there contradicts itself; StoreError
 * @example await requireContinuation({ database, name: 'rekor2', origin, keys: [noteKey(origin, publicKey)] }, copied);
 */
export async function requireContinuation(
  log: {
    readonly database: SqlDatabase;
    readonly name: string;
    readonly origin: string;
    readonly keys: readonly Pick<NoteKey, 'name' | 'keyId' | 'verify'>[];
  },
  checkpoint: string,
): Promise<void> {
  const { database, name, origin, keys } = log;
  const seen = readSeen(checkpoint, origin, keys);
  const tables = logTables(name);
  await database.migrate(`log ${name}`, tables.migrations);
  const loaded = await loadLog(database, tables, origin);
  if (loaded === undefined) throw new LogError('log-missing', `there is no log '${name}' in the database`);
  const { size } = loaded.committed;
  if (seen.size > size)
    throw new LogError(
      'tree-smaller',
      `the log of '${origin}' has ${size} entries here, and its checkpoint was seen with ${seen.size}: what came after is missing`,
    );
  const root = (await edgeOf(loaded.tiles, seen.size)).root();
  if (Buffer.compare(root, seen.root) !== 0)
    throw new LogError(
      'tree-forked',
      `the log of '${origin}' has other entries here: the root over its first ${seen.size} is ${hex(root)}, seen was ${hex(seen.root)}`,
    );
}

function readSeen(
  document: string,
  origin: string,
  keys: readonly Pick<NoteKey, 'name' | 'keyId' | 'verify'>[],
): Checkpoint {
  let note: SignedNote;
  let seen: Checkpoint;
  try {
    note = decodeNote(document, 'the checkpoint');
    seen = decodeCheckpoint(note.text, 'the checkpoint');
  } catch (cause) {
    throw new LogError('checkpoint-foreign', cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (seen.origin !== origin)
    throw new LogError('checkpoint-foreign', `the checkpoint is of '${seen.origin}', expected '${origin}'`);
  const text = Buffer.from(note.text);
  const signed = note.signatures.some(({ name, keyId, signature }) =>
    keys.some((key) => key.name === name && Buffer.compare(key.keyId, keyId) === 0 && key.verify(text, signature)),
  );
  if (!signed)
    throw new LogError('checkpoint-foreign', `the checkpoint of '${origin}' is not signed by a key of the log`);
  return seen;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
