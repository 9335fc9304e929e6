// SPDX-License-Identifier: Apache-2.0
import type { Progress, Repository, BlobSource } from './repository.ts';

const AT_ONCE = 4;

/** Something to be made available in a repository, and how. */
export interface BlobToPut extends BlobSource {
  /** the name of a repository that has it, to be asked first */
  readonly mountFrom?: string;
}

/**
 * Puts blobs into a repository, a few at once, each digest once. The first failure ends it, after those that were under way.
 *
 * @param progress over all of them together
 */
export async function putBlobs(
  repository: Repository,
  blobs: readonly BlobToPut[],
  progress: Progress = () => {},
): Promise<void> {
  const waiting = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
  const total = waiting.reduce((sum, { size }) => sum + size, 0);
  const done = new Map<BlobToPut, number>();
  const report = (blob: BlobToPut, transferred: number): void => {
    done.set(blob, transferred);
    progress(
      done.values().reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  };
  let failed = false;
  const work = async (): Promise<void> => {
    for (let blob = waiting.shift(); blob !== undefined && !failed; blob = waiting.shift()) {
      try {
        await putBlob(repository, blob, report);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: AT_ONCE }, work));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function putBlob(
  repository: Repository,
  blob: BlobToPut,
  report: (blob: BlobToPut, transferred: number) => void,
): Promise<void> {
  const mounted = blob.mountFrom !== undefined && (await repository.mountBlob(blob.digest, blob.mountFrom));
  if (!mounted) await repository.putBlob(blob, (transferred) => report(blob, transferred));
  report(blob, blob.size);
}
