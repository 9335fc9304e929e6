// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestHex, type Digest } from '../../oci/index.ts';
import {
  StoreError,
  type ByteRange,
  type ObjectStore,
  type SqlDatabase,
  type SqlTransaction,
  type StagedObject,
} from '../../store/index.ts';
import { dropContent, keepContent } from './contents.ts';
import { denied } from './denial.ts';
import { KeyLock } from './key-lock.ts';

/**
 * Blobs up to this size are rows beside the manifests, larger ones are objects. Most blobs of a registry of seals are small (configs,
 * signatures, attestations), and a row costs one flush that many share, where a file costs two of its own: 1.5 to 3.7 times as many
 * small images a second, measured on ext4.
 */
const ROW_BYTES = 16 * 1024;

/** A blob that a repository has. */
export interface StoredBlob {
  /** bytes */
  readonly size: number;
  /** Its content, or a part of it. */
  read(range?: ByteRange): AsyncIterable<Uint8Array>;
}

const FIND = `SELECT b.size AS size, b.place AS place
  FROM blob_links l JOIN blobs b ON b.digest = l.digest WHERE l.repository = ? AND l.digest = ?`;

/**
 * Blobs: the content once, and a link for each repository that has it. What has no link in a repository does not exist there, whoever
 * asks. The life of a pushed one:
 *
 *     1. its bytes are staged while they come in       a crash here: swept at the next start
 *     2. a large one is committed as an object         a crash here: an object without a row, which nobody sees; a retry replaces it
 *     3. its rows are committed, a small one in them   a crash here: it is there, the retry finds it
 *     4. the push is answered
 */
export class BlobStorage {
  readonly #database: SqlDatabase;
  readonly #objects: ObjectStore;
  // Between an object and its rows: two pushes of a blob, or a push and the deletion of its last link, must not interleave.
  readonly #lock = new KeyLock();

  constructor(database: SqlDatabase, objects: ObjectStore) {
    this.#database = database;
    this.#objects = objects;
  }

  stage(): StagedObject {
    return this.#objects.stage();
  }

  /** Undefined where the repository does not have it. */
  async find(repository: string, digest: Digest): Promise<StoredBlob | undefined> {
    const row = await this.#database.get<{ size: number; place: string }>(FIND, repository, digest);
    if (row === undefined) return undefined;
    return {
      size: row.size,
      read: (range) => (row.place === 'row' ? this.#readRow(digest, range) : this.#objects.read(keyOf(digest), range)),
    };
  }

  /** Takes a staged object, whose bytes were checked against the digest, into a repository. */
  async commit(repository: string, digest: Digest, staged: StagedObject): Promise<void> {
    const { size } = staged;
    const place = size <= ROW_BYTES ? 'row' : 'object';
    await this.#lock.run(digest, async () => {
      const known = await this.#database.get('SELECT 1 FROM blobs WHERE digest = ?', digest);
      const bytes = known === undefined && place === 'row' ? await gather(staged) : undefined;
      if (known === undefined && place === 'object') await staged.commit(keyOf(digest));
      await this.#database.write(async (tx) => {
        if (bytes !== undefined) await keepContent(tx, digest, bytes);
        if (known === undefined) {
          await tx.run('INSERT INTO blobs (digest, size, place) VALUES (?, ?, ?)', digest, size, place);
        }
        await link(tx, repository, digest);
      });
      await staged.discard();
    });
  }

  /** Links a blob of another repository. False where that one does not have it. */
  async mount(repository: string, digest: Digest, from: string): Promise<boolean> {
    return this.#database.write(async (tx) => {
      if ((await tx.get(FIND, from, digest)) === undefined) return false;
      await link(tx, repository, digest);
      return true;
    });
  }

  /**
   * Removes a blob from a repository, and its content with its last link. False where the repository does not have it.
   *
   * @throws RegistryError `denied` while a manifest of the repository needs it
   */
  async delete(repository: string, digest: Digest): Promise<boolean> {
    return this.#lock.run(digest, async () => {
      const outcome = await this.#database.write((tx) => unlink(tx, repository, digest));
      if (outcome === 'object-orphaned') await this.#objects.delete(keyOf(digest));
      return outcome !== 'absent';
    });
  }

  async *#readRow(digest: Digest, range?: ByteRange): AsyncIterable<Uint8Array> {
    const row = await this.#database.get<{ bytes: Uint8Array }>('SELECT bytes FROM contents WHERE digest = ?', digest);
    if (row === undefined) throw new StoreError('not-found', `the content of blob ${digest} is not there`);
    yield range === undefined ? row.bytes : row.bytes.subarray(range.start, range.end + 1);
  }
}

/** Two levels, so that no directory grows without bound. */
function keyOf(digest: Digest): string {
  const hex = digestHex(digest);
  return `blobs/${digestAlgorithm(digest)}/${hex.slice(0, 2)}/${hex}`;
}

async function gather(staged: StagedObject): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of staged.read()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function link(tx: SqlTransaction, repository: string, digest: Digest): Promise<void> {
  await tx.run('INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING', repository);
  await tx.run('INSERT INTO blob_links (repository, digest) VALUES (?, ?) ON CONFLICT DO NOTHING', repository, digest);
}

async function unlink(
  tx: SqlTransaction,
  repository: string,
  digest: Digest,
): Promise<'absent' | 'removed' | 'object-orphaned'> {
  const user = await tx.get<{ manifest: string }>(
    "SELECT manifest FROM manifest_parts WHERE repository = ? AND kind = 'blob' AND digest = ? LIMIT 1",
    repository,
    digest,
  );
  if (user !== undefined) {
    throw denied(`blob ${digest} is a part of manifest ${user.manifest} in ${repository}: delete that first`);
  }
  const blob = await tx.get<{ place: string }>(FIND, repository, digest);
  if (blob === undefined) return 'absent';
  await tx.run('DELETE FROM blob_links WHERE repository = ? AND digest = ?', repository, digest);
  const orphaned = await tx.run(
    'DELETE FROM blobs WHERE digest = ? AND NOT EXISTS (SELECT 1 FROM blob_links WHERE digest = blobs.digest)',
    digest,
  );
  if (orphaned.changes === 0) return 'removed';
  if (blob.place === 'object') return 'object-orphaned';
  await dropContent(tx, digest);
  return 'removed';
}
