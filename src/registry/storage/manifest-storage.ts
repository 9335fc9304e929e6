// SPDX-License-Identifier: Apache-2.0
import {
  decodeManifest,
  describeReferrer,
  digestOf,
  isDigest,
  isTag,
  RegistryError,
  type Descriptor,
  type Digest,
  type DigestAlgorithm,
  type StoredManifest,
} from '../../oci/index.ts';
import type { SqlDatabase, SqlTransaction } from '../../store/index.ts';
import type { TagRules } from '../rules/tag-rules.ts';
import { dropContent, keepContent } from './contents.ts';
import { denied, MissingParts } from './denial.ts';
import { partsOf, type Part } from './manifest-parts.ts';
import { writeTag } from './tag-writes.ts';

/** A manifest on its way in. */
export interface ManifestWrite {
  readonly bytes: Uint8Array;
  /** what the writer says it is; undefined where he does not */
  readonly mediaType?: string | undefined;
  /** sha256 unless told */
  readonly algorithm?: DigestAlgorithm | undefined;
  readonly tag?: string | undefined;
  readonly expect?: Digest | 'absent' | undefined;
}

/** A manifest that is in. */
export interface ManifestWritten {
  readonly descriptor: Descriptor;
  readonly subject?: Digest;
}

type ManifestRow = { readonly digest: Digest; readonly media_type: string; readonly size: number };
type ContentRow = ManifestRow & { readonly bytes: Uint8Array };

/** A descriptor that is longer (by its annotations) is listed without them: they are hints, and one alone must not fill a page. */
const LISTED_LENGTH = 256 * 1024;

const HEAD = 'SELECT m.digest AS digest, m.media_type AS media_type, m.size AS size';
const BY_TAG = 'FROM tags t JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest';
const CONTENT = 'JOIN contents c ON c.digest = m.digest';
const HEAD_BY_TAG = `${HEAD} ${BY_TAG} WHERE t.repository = ? AND t.name = ?`;
const HEAD_BY_DIGEST = `${HEAD} FROM manifests m WHERE m.repository = ? AND m.digest = ?`;
const WHOLE_BY_TAG = `${HEAD}, c.bytes AS bytes ${BY_TAG} ${CONTENT} WHERE t.repository = ? AND t.name = ?`;
const WHOLE_BY_DIGEST = `${HEAD}, c.bytes AS bytes FROM manifests m ${CONTENT} WHERE m.repository = ? AND m.digest = ?`;

/** Manifests and the tags that name them. A write is one transaction: manifest, parts, subject and tag together or not at all. */
export class ManifestStorage {
  readonly #database: SqlDatabase;
  readonly #rules: TagRules;

  constructor(database: SqlDatabase, rules: TagRules) {
    this.#database = database;
    this.#rules = rules;
  }

  async resolve(repository: string, target: string): Promise<Descriptor | undefined> {
    const sql = isDigest(target) ? HEAD_BY_DIGEST : HEAD_BY_TAG;
    const row = await this.#database.get<ManifestRow>(sql, repository, target);
    return row === undefined ? undefined : descriptorOf(row);
  }

  async find(repository: string, target: string): Promise<StoredManifest | undefined> {
    const sql = isDigest(target) ? WHOLE_BY_DIGEST : WHOLE_BY_TAG;
    const row = await this.#database.get<ContentRow>(sql, repository, target);
    return row === undefined ? undefined : { descriptor: descriptorOf(row), bytes: row.bytes };
  }

  /**
   * @throws RegistryError `manifest-malformed`, `too-large`; MissingParts; `denied` by a rule; `conflict` with `expect`
   */
  async put(repository: string, write: ManifestWrite): Promise<ManifestWritten> {
    const manifest = decodeManifest(write.bytes, write.mediaType);
    const digest = digestOf(write.bytes, write.algorithm);
    const parts = partsOf(manifest);
    const descriptor = { mediaType: manifest.mediaType, digest, size: write.bytes.byteLength };
    const subject = manifest.subject?.digest;
    const listed = subject === undefined ? undefined : { subject, ...listedAs(write.bytes, descriptor) };
    await this.#database.write(async (tx) => {
      await demandParts(tx, repository, parts);
      await insert(tx, repository, { descriptor, bytes: write.bytes, parts, listed });
      if (write.tag === undefined) return;
      const protection = this.#rules.protection(repository, write.tag);
      await writeTag(tx, { repository, tag: write.tag, digest, manifest, protection, expect: write.expect });
    });
    return subject === undefined ? { descriptor } : { descriptor, subject };
  }

  /**
   * Removes a manifest and the tags that name it, or a tag alone. False where it was not there.
   *
   * @param expect what the caller believes a tag names
   * @throws RegistryError `denied` by a rule, or while an index needs the manifest; `conflict` with `expect`
   */
  async delete(repository: string, target: string, expect?: Digest): Promise<boolean> {
    if (isDigest(target)) return this.#database.write((tx) => this.#deleteManifest(tx, repository, target));
    if (!isTag(target)) return false;
    return this.#database.write((tx) => this.#deleteTag(tx, repository, target, expect));
  }

  async #deleteTag(tx: SqlTransaction, repository: string, tag: string, expect?: Digest): Promise<boolean> {
    const row = await tx.get<{ digest: Digest }>(
      'SELECT digest FROM tags WHERE repository = ? AND name = ?',
      repository,
      tag,
    );
    if (expect !== undefined && row?.digest !== expect) {
      throw new RegistryError(
        'conflict',
        `tag ${tag} of ${repository} names ${row?.digest ?? 'nothing'}, expected ${expect}`,
      );
    }
    if (row === undefined) return false;
    this.#refuseProtected(repository, tag, row.digest);
    await tx.run('DELETE FROM tags WHERE repository = ? AND name = ?', repository, tag);
    return true;
  }

  async #deleteManifest(tx: SqlTransaction, repository: string, digest: Digest): Promise<boolean> {
    const user = await tx.get<{ manifest: string }>(
      "SELECT manifest FROM manifest_parts WHERE repository = ? AND kind = 'manifest' AND digest = ? LIMIT 1",
      repository,
      digest,
    );
    if (user !== undefined) {
      throw denied(`manifest ${digest} is a part of index ${user.manifest} in ${repository}: delete that first`);
    }
    const tags = await tx.all<{ name: string }>(
      'SELECT name FROM tags WHERE repository = ? AND digest = ?',
      repository,
      digest,
    );
    for (const { name } of tags) this.#refuseProtected(repository, name, digest);
    await tx.run('DELETE FROM tags WHERE repository = ? AND digest = ?', repository, digest);
    const removed = await tx.run('DELETE FROM manifests WHERE repository = ? AND digest = ?', repository, digest);
    await dropContent(tx, digest);
    return removed.changes > 0;
  }

  #refuseProtected(repository: string, tag: string, digest: Digest): void {
    const protection = this.#rules.protection(repository, tag);
    if (protection.kind === 'none') return;
    throw denied(`tag ${tag} of ${repository} cannot be deleted: it names ${digest} (${protection.rule})`);
  }
}

async function demandParts(tx: SqlTransaction, repository: string, parts: readonly Part[]): Promise<void> {
  const missing: Digest[] = [];
  for (const { kind, digest } of parts) {
    const table = kind === 'blob' ? 'blob_links' : 'manifests';
    const found = await tx.get(`SELECT 1 FROM ${table} WHERE repository = ? AND digest = ?`, repository, digest);
    if (found === undefined) missing.push(digest);
  }
  if (missing.length > 0) throw new MissingParts(repository, missing);
}

interface Decoded {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly parts: readonly Part[];
  readonly listed: Listed | undefined;
}

/** How a manifest with a subject is listed among the referrers of that. */
interface Listed {
  readonly subject: Digest;
  readonly artifactType: string | null;
  readonly json: string;
}

async function insert(tx: SqlTransaction, repository: string, decoded: Decoded): Promise<void> {
  const { descriptor, bytes, parts, listed } = decoded;
  const { digest, mediaType, size } = descriptor;
  await tx.run('INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING', repository);
  await keepContent(tx, digest, bytes);
  const inserted = await tx.run(
    `INSERT INTO manifests (repository, digest, media_type, size, subject, artifact_type, descriptor)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    repository,
    digest,
    mediaType,
    size,
    listed?.subject ?? null,
    listed?.artifactType ?? null,
    listed?.json ?? null,
  );
  if (inserted.changes === 0) return;
  for (const part of parts) {
    await tx.run(
      'INSERT INTO manifest_parts (repository, manifest, kind, digest) VALUES (?, ?, ?, ?)',
      repository,
      digest,
      part.kind,
      part.digest,
    );
  }
}

function listedAs(bytes: Uint8Array, { mediaType, digest }: Descriptor): Omit<Listed, 'subject'> {
  const { annotations, ...short } = { ...describeReferrer(bytes, mediaType), digest };
  const whole = JSON.stringify({ ...short, annotations });
  const json = whole.length > LISTED_LENGTH ? JSON.stringify(short) : whole;
  return { artifactType: short.artifactType ?? null, json };
}

function descriptorOf(row: ManifestRow): Descriptor {
  return { mediaType: row.media_type, digest: row.digest, size: row.size };
}
