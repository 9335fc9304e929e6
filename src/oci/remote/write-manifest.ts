// SPDX-License-Identifier: Apache-2.0
import { digestOf, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest } from '../manifest.ts';
import { describeReferrer } from '../referrers-index.ts';
import type { PutManifestOptions, WrittenManifest } from '../repository.ts';
import { listInFallback } from './fallback-listing.ts';
import { listReferrers } from './list-referrers.ts';
import { fetchManifest } from './read-manifest.ts';
import { putManifest, strongEtag } from './put-manifest.ts';
import type { Session } from './session.ts';

/**
 * Writes a manifest, and sees to it that it is found from its subject.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject
 */
export async function writeManifest(
  session: Session,
  bytes: Uint8Array,
  mediaType: string,
  options: PutManifestOptions,
): Promise<WrittenManifest> {
  const { limits } = session.connection;
  const digest = digestOf(bytes);
  const descriptor = { mediaType, digest, size: bytes.byteLength };
  const target = options.tag ?? digest;
  if (bytes.byteLength > limits.manifestBytes) {
    throw new RegistryError(
      'too-large',
      `cannot write ${session.shown(target)}: it has ${bytes.byteLength} bytes, registries take ${limits.manifestBytes}`,
    );
  }
  const { subject } = decodeManifest(bytes, mediaType);
  const deadline = session.connection.deadline();
  const headers = options.expect === undefined ? {} : await condition(session, target, options.expect, digest);
  if (headers === 'done') return { descriptor };
  const written = await putManifest(session, { bytes, descriptor, target, headers, deadline });
  session.manifests.add(digest, { descriptor, bytes });
  if (written === 'changed') await expectOurs(session, target, digest);
  if (subject === undefined) return { descriptor };
  if (written !== 'changed' && written.subject === subject.digest) session.hasReferrersApi = true;
  else if (session.hasReferrersApi === undefined) await listReferrers(session, subject.digest);
  if (session.hasReferrersApi === true) return { descriptor, listed: { place: 'referrers-api', raceSafe: true } };
  const raceSafe = await listInFallback(session, subject.digest, describeReferrer(bytes, mediaType));
  return { descriptor, listed: { place: 'fallback-tag', raceSafe } };
}

/**
 * The condition under which a tag may be written. What stands there is looked at first, since a registry may not know conditions: then
 * at least what was there before is not overwritten.
 */
async function condition(
  session: Session,
  target: string,
  expect: Digest | 'absent',
  ours: Digest,
): Promise<Readonly<Record<string, string>> | 'done'> {
  const current = await fetchManifest(session, target);
  const found = current?.descriptor.digest;
  if (found === ours) return 'done'; // as a repetition of ours would find it
  if (found !== (expect === 'absent' ? undefined : expect)) throw conflict(session, target, found, expect);
  if (current === undefined) return { 'if-none-match': '*' };
  return strongEtag(current.etag) === undefined ? {} : { 'if-match': current.etag ?? '' };
}

/** After a refused condition: a write that was repeated because its answer was lost has changed the tag itself. */
async function expectOurs(session: Session, target: string, ours: Digest): Promise<void> {
  const found = (await fetchManifest(session, target))?.descriptor.digest;
  if (found !== ours) throw conflict(session, target, found);
}

function conflict(
  session: Session,
  target: string,
  found: Digest | undefined,
  expect?: Digest | 'absent',
): RegistryError {
  const expected = expect === undefined ? '' : ` (expected ${expect === 'absent' ? 'nothing' : expect})`;
  const message = `cannot write ${session.shown(target)}: it names ${found ?? 'nothing'} by now${expected}`;
  return new RegistryError('conflict', message, { status: 412 });
}
