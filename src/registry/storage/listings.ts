// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import type { SqlDatabase } from '../../store/index.ts';

/** Which part of a listing is asked for. */
export interface Page {
  /** entries at most */
  readonly limit: number;
  /** entries after this one; from the beginning unless told */
  readonly last?: string | undefined;
}

/** A part of a listing. */
export interface Listed<Entry> {
  readonly entries: readonly Entry[];
  /** what to continue after, where there is more */
  readonly next?: string;
}

/** One referrer: `json` is its descriptor. */
export interface ListedReferrer {
  readonly digest: Digest;
  readonly json: string;
}

/** Bytes of descriptors in one page of referrers: an index stays below the 4 MiB that clients read. */
const REFERRER_BYTES = 2 * 1024 * 1024;

/** What there is, in order, a page at a time. */
export class Listings {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Whether anything was ever pushed to a repository. */
  async exists(repository: string): Promise<boolean> {
    return (await this.#database.get('SELECT 1 FROM repositories WHERE name = ?', repository)) !== undefined;
  }

  /** Repositories that have a manifest. */
  async repositories(page: Page): Promise<Listed<string>> {
    const rows = await this.#database.all<{ name: string }>(
      `SELECT name FROM repositories WHERE name > ?
       AND EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = repositories.name) ORDER BY name LIMIT ?`,
      page.last ?? '',
      page.limit + 1,
    );
    return cut(
      rows.map((row) => row.name),
      page.limit,
    );
  }

  async tags(repository: string, page: Page): Promise<Listed<string>> {
    const rows = await this.#database.all<{ name: string }>(
      'SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?',
      repository,
      page.last ?? '',
      page.limit + 1,
    );
    return cut(
      rows.map((row) => row.name),
      page.limit,
    );
  }

  /** What names a digest as its subject. Fewer than the limit where their descriptors are large. */
  async referrers(
    repository: string,
    subject: Digest,
    page: Page,
    artifactType?: string,
  ): Promise<Listed<ListedReferrer>> {
    const filter = artifactType === undefined ? [] : [artifactType];
    const where = `WHERE repository = ? AND subject = ?${artifactType === undefined ? '' : ' AND artifact_type = ?'} AND digest > ?`;
    const after = [repository, subject, ...filter, page.last ?? ''];
    const sizes = await this.#database.all<{ size: number }>(
      `SELECT octet_length(descriptor) AS size FROM manifests ${where} ORDER BY digest LIMIT ?`,
      ...after,
      page.limit + 1,
    );
    let bytes = 0;
    const fitting = sizes.slice(0, page.limit).filter((row) => (bytes += row.size) <= REFERRER_BYTES);
    const entries = await this.#database.all<ListedReferrer & Record<string, string>>(
      `SELECT digest, descriptor AS json FROM manifests ${where} ORDER BY digest LIMIT ?`,
      ...after,
      fitting.length,
    );
    const last = entries.at(-1);
    return sizes.length > fitting.length && last !== undefined ? { entries, next: last.digest } : { entries };
  }
}

function cut(names: readonly string[], limit: number): Listed<string> {
  const entries = names.slice(0, limit);
  const next = entries.at(-1);
  return names.length > limit && next !== undefined ? { entries, next } : { entries };
}
