// SPDX-License-Identifier: Apache-2.0
import type { ObjectStore, SqlDatabase } from '../../store/index.ts';
import type { TagRules } from '../rules/tag-rules.ts';
import { BlobStorage } from './blob-storage.ts';
import { Listings } from './listings.ts';
import { ManifestStorage } from './manifest-storage.ts';
import { MIGRATIONS } from './migrations.ts';
import { StoredRepository, type RepositoryStorage } from './stored-repository.ts';

/** All repositories of a registry, over a database and an object store that its opener closes. */
export class RegistryStorage implements RepositoryStorage {
  readonly blobs: BlobStorage;
  readonly manifests: ManifestStorage;
  readonly listings: Listings;
  readonly #host: () => string;

  private constructor(database: SqlDatabase, objects: ObjectStore, rules: TagRules, host: () => string) {
    this.blobs = new BlobStorage(database, objects);
    this.manifests = new ManifestStorage(database, rules);
    this.listings = new Listings(database);
    this.#host = host;
  }

  /**
   * @param host `host[:port]` under which the registry is known; asked when a name is needed
   * @throws StoreError as `SqlDatabase.migrate`
   */
  static async open(
    database: SqlDatabase,
    objects: ObjectStore,
    rules: TagRules,
    host: () => string,
  ): Promise<RegistryStorage> {
    await database.migrate('registry', MIGRATIONS);
    return new RegistryStorage(database, objects, rules, host);
  }

  host(): string {
    return this.#host();
  }

  /** @param path the repository's name without the registry's, checked by `isRepositoryPath` */
  repository(path: string): StoredRepository {
    return new StoredRepository(this, path);
  }
}
