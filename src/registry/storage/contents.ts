// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import type { SqlTransaction } from '../../store/index.ts';

/** Keeps bytes in the database: a manifest, or a small blob. The same bytes are kept once. */
export async function keepContent(tx: SqlTransaction, digest: Digest, bytes: Uint8Array): Promise<void> {
  await tx.run('INSERT INTO contents (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING', digest, bytes);
}

/** Removes bytes that no manifest and no blob has any more. */
export async function dropContent(tx: SqlTransaction, digest: Digest): Promise<void> {
  await tx.run(
    `DELETE FROM contents WHERE digest = ?
     AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = contents.digest)
     AND NOT EXISTS (SELECT 1 FROM blobs WHERE digest = contents.digest AND place = 'row')`,
    digest,
  );
}
