// SPDX-License-Identifier: Apache-2.0
import type { Migration } from '../../../store/index.ts';

/**
 * Content is kept once; what a repository holds are rows beside it, and nothing is readable in a repository without such a row.
 * Manifests and small blobs are bytes here, larger blobs are objects in the store.
 */
export const repositories: Migration = {
  number: 1,
  name: 'repositories',
  sqlite: `
    CREATE TABLE repositories (
      name TEXT NOT NULL PRIMARY KEY
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE blobs (
      digest TEXT NOT NULL PRIMARY KEY,
      size INTEGER NOT NULL,
      place TEXT NOT NULL CHECK (place IN ('row', 'object'))
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE blob_links (
      repository TEXT NOT NULL REFERENCES repositories (name),
      digest TEXT NOT NULL REFERENCES blobs (digest),
      PRIMARY KEY (repository, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blob_links_by_digest ON blob_links (digest);

    -- manifests, and the blobs whose place is a row
    CREATE TABLE contents (
      digest TEXT NOT NULL PRIMARY KEY,
      bytes BLOB NOT NULL
    ) STRICT;

    -- descriptor: how a manifest with a subject is listed among the referrers, as JSON
    CREATE TABLE manifests (
      repository TEXT NOT NULL REFERENCES repositories (name),
      digest TEXT NOT NULL REFERENCES contents (digest),
      media_type TEXT NOT NULL,
      size INTEGER NOT NULL,
      subject TEXT,
      artifact_type TEXT,
      descriptor TEXT,
      PRIMARY KEY (repository, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX manifests_by_digest ON manifests (digest);
    CREATE INDEX manifests_by_subject ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;

    -- what a manifest needs to be whole: its blobs, or the manifests of an index
    CREATE TABLE manifest_parts (
      repository TEXT NOT NULL,
      manifest TEXT NOT NULL,
      kind TEXT NOT NULL CHECK (kind IN ('blob', 'manifest')),
      digest TEXT NOT NULL,
      PRIMARY KEY (repository, manifest, kind, digest),
      FOREIGN KEY (repository, manifest) REFERENCES manifests (repository, digest) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX manifest_parts_by_part ON manifest_parts (repository, kind, digest);

    CREATE TABLE tags (
      repository TEXT NOT NULL,
      name TEXT NOT NULL,
      digest TEXT NOT NULL,
      PRIMARY KEY (repository, name),
      FOREIGN KEY (repository, digest) REFERENCES manifests (repository, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_digest ON tags (repository, digest);
  `,
};
