// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { digestOf, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import { decodeIndexEntries, fallbackTag, mergeIndex, removeFromIndex } from '../referrers-index.ts';
import { putManifest, strongEtag, type PutAnswer } from './put-manifest.ts';
import { fetchManifest, type TaggedManifest } from './read-manifest.ts';
import type { Session } from './session.ts';

const MAX_PAUSE_MS = 500;

/**
 * Lists a referrer in the index under the fallback tag of its subject.
 *
 * 1. read the index and its ETag
 * 2. add the entry
 * 3. write it, on the condition that nobody did since 1      a writer who was faster: again from 1
 * 4. read it back, after a pause where conditions do not hold   an entry that is gone: again from 1
 *
 * @returns whether the registry excludes that another writer, between 1 and 3, loses our entry or we theirs
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
 */
export async function listInFallback(session: Session, subject: Digest, entry: Descriptor): Promise<boolean> {
  return changeFallback(session, subject, {
    change: (index) => mergeIndex(index, entry),
    holds: (index) => index !== undefined && lists(index, entry.digest),
    what: `keep ${entry.digest} among the referrers of ${session.shown(subject)}`,
  });
}

/** Takes a referrer out of the index under the fallback tag of its subject, where there is one. Returns as {@link listInFallback}. */
export async function unlistInFallback(session: Session, subject: Digest, digest: Digest): Promise<boolean> {
  return changeFallback(session, subject, {
    change: (index) => (index === undefined ? undefined : removeFromIndex(index, digest)),
    holds: (index) => index === undefined || !lists(index, digest),
    what: `take ${digest} out of the referrers of ${session.shown(subject)}`,
  });
}

interface IndexChange {
  readonly change: (index: Uint8Array | undefined) => Uint8Array | undefined;
  /** whether an index is as it should become */
  readonly holds: (index: Uint8Array | undefined) => boolean;
  /** as it follows "cannot" */
  readonly what: string;
}

async function changeFallback(
  session: Session,
  subject: Digest,
  { change, holds, what }: IndexChange,
): Promise<boolean> {
  const { limits, client } = session.connection;
  const tag = fallbackTag(subject);
  const deadline = session.connection.deadline();
  const pause = (): Promise<void> => client.clock.sleep(Math.floor(client.random() * MAX_PAUSE_MS));
  for (let attempt = 1; attempt <= limits.fallbackAttempts && client.clock.now() < deadline; attempt++) {
    const current = await fetchManifest(session, tag);
    const index = indexIn(current, subject);
    const next = change(index);
    if (next === undefined || next === index) return next === undefined || session.honoursConditions;
    const written = await putIndex(session, tag, next, current, deadline);
    if (written !== 'changed') {
      if (!session.honoursConditions) await pause();
      if (holds(indexIn(await fetchManifest(session, tag), subject))) return session.honoursConditions;
    }
    await pause();
  }
  const message = `cannot ${what}: other writers kept changing ${session.name}:${tag}`;
  throw new RegistryError('conflict', message);
}

/** `cosign copy` leaves the image itself under the tag: then there is no index yet. */
function indexIn(current: TaggedManifest | undefined, subject: Digest): Uint8Array | undefined {
  return current?.descriptor.digest === subject ? undefined : current?.bytes;
}

async function putIndex(
  session: Session,
  tag: string,
  bytes: Uint8Array,
  current: TaggedManifest | undefined,
  deadline: number,
): Promise<PutAnswer> {
  const digest = digestOf(bytes);
  const etag = strongEtag(current?.etag);
  const headers: Record<string, string> = {};
  if (current === undefined) headers['if-none-match'] = '*';
  else if (etag !== undefined) headers['if-match'] = etag;
  const descriptor = { mediaType: MediaType.imageIndex, digest, size: bytes.byteLength };
  const written = await putManifest(session, { bytes, descriptor, target: tag, headers, deadline });
  // Many registries send ETags with what they are read and ignore conditions when they are written. One that answers the write with the
  // new ETag, or has refused a condition before, knows them.
  const conditional = current === undefined || etag !== undefined;
  if (conditional && written !== 'changed' && strongEtag(written.etag)?.includes(digest) === true) {
    session.honoursConditions = true;
  }
  return written;
}

function lists(index: Uint8Array, digest: Digest): boolean {
  return decodeIndexEntries(index).descriptors.some((descriptor) => descriptor.digest === digest);
}
