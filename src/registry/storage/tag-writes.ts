// SPDX-License-Identifier: Apache-2.0
import { RegistryError, decodeManifest, type Digest, type Manifest } from '../../oci/index.ts';
import type { SqlTransaction } from '../../store/index.ts';
import type { TagProtection } from '../rules/tag-rules.ts';
import { denied } from './denial.ts';
import { lostPart } from './growth.ts';

/** A tag that is to name a manifest. */
export interface TagWrite {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly protection: TagProtection;
  /** what the writer believes the tag names now */
  readonly expect?: Digest | 'absent' | undefined;
}

interface Current extends Record<string, string | Uint8Array> {
  readonly digest: Digest;
  readonly media_type: string;
  readonly bytes: Uint8Array;
}

// Each rule is decided by the one statement that writes: whatever ran in between, the row changes only if the rule holds for what it
// holds at that moment, and `changes` tells.
const CREATE = 'INSERT INTO tags (repository, name, digest) VALUES (?, ?, ?) ON CONFLICT (repository, name) DO NOTHING';
const CREATE_OR_MOVE =
  'INSERT INTO tags (repository, name, digest) VALUES (?, ?, ?) ON CONFLICT (repository, name) DO UPDATE SET digest = excluded.digest';
const CREATE_OR_CONFIRM = `${CREATE_OR_MOVE} WHERE tags.digest = excluded.digest`;
const MOVE = 'UPDATE tags SET digest = ? WHERE repository = ? AND name = ? AND digest = ?';
const CURRENT = `SELECT t.digest AS digest, m.media_type AS media_type, c.bytes AS bytes
  FROM tags t JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest JOIN contents c ON c.digest = t.digest
  WHERE t.repository = ? AND t.name = ?`;

/**
 * Makes a tag name a manifest, as far as its protection and the writer's expectation allow.
 *
 * @throws RegistryError `denied` by a rule; `conflict` where the tag is not what the writer expected
 */
export async function writeTag(tx: SqlTransaction, write: TagWrite): Promise<void> {
  if (write.expect !== undefined) await writeExpected(tx, write, write.expect);
  else if (write.protection.kind === 'append-only') await grow(tx, write);
  else if (write.protection.kind === 'write-once') {
    if (await changes(tx, CREATE_OR_CONFIRM, write)) return;
    throw writeOnce(write, (await current(tx, write))?.digest);
  } else await changes(tx, CREATE_OR_MOVE, write);
}

async function writeExpected(tx: SqlTransaction, write: TagWrite, expect: Digest | 'absent'): Promise<void> {
  if (expect === 'absent') {
    if (await changes(tx, CREATE, write)) return;
    throw conflict(write, 'nothing', (await current(tx, write))?.digest);
  }
  const before = await current(tx, write);
  if (before?.digest !== expect) throw conflict(write, expect, before?.digest);
  if (before.digest === write.digest) return;
  if (write.protection.kind === 'write-once') throw writeOnce(write, before.digest);
  if (write.protection.kind === 'append-only') refuseLoss(write, before);
  await move(tx, write, before.digest);
}

async function grow(tx: SqlTransaction, write: TagWrite): Promise<void> {
  const before = await current(tx, write);
  if (before === undefined) {
    if (!(await changes(tx, CREATE, write))) throw conflict(write, 'nothing', undefined);
  } else if (before.digest !== write.digest) {
    refuseLoss(write, before);
    await move(tx, write, before.digest);
  }
}

async function move(tx: SqlTransaction, write: TagWrite, from: Digest): Promise<void> {
  const moved = await tx.run(MOVE, write.digest, write.repository, write.tag, from);
  if (moved.changes === 0) throw conflict(write, from, undefined);
}

async function changes(tx: SqlTransaction, sql: string, write: TagWrite): Promise<boolean> {
  return (await tx.run(sql, write.repository, write.tag, write.digest)).changes > 0;
}

async function current(tx: SqlTransaction, write: TagWrite): Promise<Current | undefined> {
  return tx.get<Current>(CURRENT, write.repository, write.tag);
}

function refuseLoss(write: TagWrite, before: Current): void {
  const lost = lostPart(decodeManifest(before.bytes, before.media_type), write.manifest);
  if (lost === undefined) return;
  throw denied(
    `tag ${write.tag} of ${write.repository} is append-only: it names ${before.digest}, whose part ${lost} is missing from ` +
      `${write.digest}${at(write)}`,
  );
}

function writeOnce(write: TagWrite, named: Digest | undefined): RegistryError {
  return denied(
    `tag ${write.tag} of ${write.repository} is written once: it names ${named ?? 'another digest'} and cannot be moved to ` +
      `${write.digest}${at(write)}`,
  );
}

function at(write: TagWrite): string {
  return write.protection.kind === 'none' ? '' : ` (${write.protection.rule})`;
}

function conflict(write: TagWrite, expected: string, found: Digest | undefined): RegistryError {
  return new RegistryError(
    'conflict',
    `tag ${write.tag} of ${write.repository} names ${found ?? 'something else'}, expected ${expected}`,
  );
}
