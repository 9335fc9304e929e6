// SPDX-License-Identifier: Apache-2.0
import { shownUrl } from '../../wire/index.ts';
import type { Descriptor } from '../descriptor.ts';
import { isDigest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest } from '../manifest.ts';
import { unlistInFallback } from './fallback-listing.ts';
import { listReferrers } from './list-referrers.ts';
import { readManifest } from './read-manifest.ts';
import { isAbsence, readRefusal, refused } from './registry-answer.ts';
import type { Session } from './session.ts';

/**
 * Removes a tag, or a manifest by digest, and then its entry in the fallback tag of its subject where the registry keeps no list itself.
 * False where it was not there.
 *
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#deleting-manifests
 */
export async function deleteManifest(session: Session, target: string): Promise<boolean> {
  const { connection } = session;
  const doing = `delete ${session.shown(target)}`;
  const subject = isDigest(target) ? await subjectOf(session, target) : undefined;
  const request = {
    doing,
    method: 'DELETE',
    target: session.manifestPath(target),
    scopes: [{ repository: session.repository, actions: ['pull', 'push', 'delete'] as const }],
    deadline: connection.deadline(),
  };
  const existed = await connection.exchange(request, async (response) => {
    if (response.status === 200 || response.status === 202 || response.status === 204) return true;
    const refusal = await readRefusal(response);
    if (isAbsence(response.status, refusal)) return false;
    const error = refused(response, refusal, doing);
    // Older registries delete by digest only, and call a tag a bad digest.
    if (response.status !== 400 || isDigest(target)) throw error;
    throw new RegistryError('unsupported', error.message, { url: shownUrl(response.url), status: 400 });
  });
  if (!isDigest(target)) return existed;
  session.manifests.delete(target);
  if (subject === undefined) return existed;
  if (session.hasReferrersApi === undefined) await listReferrers(session, subject.digest);
  if (session.hasReferrersApi === true) return existed;
  try {
    await unlistInFallback(session, subject.digest, target);
  } catch (error) {
    // The manifest is gone; that a list still names it is said and no failure.
    if (!(error instanceof RegistryError)) throw error;
    connection.warn(error.message);
  }
  return existed;
}

/** What is no manifest, or not there, has no subject. */
async function subjectOf(session: Session, target: string): Promise<Descriptor | undefined> {
  try {
    const manifest = await readManifest(session, target);
    return manifest === undefined ? undefined : decodeManifest(manifest.bytes, manifest.descriptor.mediaType).subject;
  } catch (error) {
    if (error instanceof RegistryError && (error.code === 'manifest-malformed' || error.code === 'too-large'))
      return undefined;
    throw error;
  }
}
