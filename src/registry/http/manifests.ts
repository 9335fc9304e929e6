// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, digestOf, isDigest, isTag, ManifestLimit, type Digest } from '../../oci/index.ts';
import { header, type Reply } from '../../wire/index.ts';
import type { RegistryStorage } from '../storage/registry-storage.ts';
import type { Request } from './call.ts';
import { entityTag, entityTags } from './conditions.ts';
import { OciFault } from './oci-fault.ts';

/** GET and HEAD of a manifest. Every stored manifest is sent as it is, whatever the client says that it accepts. */
export async function getManifest(
  storage: RegistryStorage,
  request: Request,
  repository: string,
  target: string,
): Promise<Reply> {
  demandTarget(target);
  const { manifests } = storage;
  const found =
    request.method === 'HEAD'
      ? await manifests.resolve(repository, target).then((descriptor) => descriptor && { descriptor, bytes: undefined })
      : await manifests.find(repository, target);
  if (found === undefined) throw await unknownManifest(storage, repository, target);
  const { mediaType, digest, size } = found.descriptor;
  const tags = entityTags(header(request, 'if-none-match'));
  const headers = { 'docker-content-digest': digest, etag: entityTag(digest) };
  if (tags === '*' || tags?.includes(digest) === true) return { status: 304, headers };
  const whole = { ...headers, 'content-type': mediaType, 'content-length': `${size}` };
  return found.bytes === undefined
    ? { status: 200, headers: whole }
    : { status: 200, headers: whole, body: found.bytes };
}

/** PUT of a manifest, by tag or by digest. It is kept byte for byte. */
export async function putManifest(
  storage: RegistryStorage,
  request: Request,
  repository: string,
  target: string,
): Promise<Reply> {
  demandTarget(target);
  const bytes = await gather(request);
  const algorithm = isDigest(target) ? digestAlgorithm(target) : 'sha256';
  const digest = digestOf(bytes, algorithm);
  if (isDigest(target) && digest !== target) {
    throw new OciFault(400, 'DIGEST_INVALID', `the manifest's content is ${digest}, expected ${target}`);
  }
  const expect = await expectation(storage, request, repository, target);
  const written = await storage.manifests.put(repository, {
    bytes,
    mediaType: header(request, 'content-type'),
    algorithm,
    ...(isDigest(target) ? {} : { tag: target, expect }),
  });
  const subject = written.subject === undefined ? {} : { 'oci-subject': written.subject };
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${digest}`,
      'docker-content-digest': digest,
      etag: entityTag(digest),
      'content-length': '0',
      ...subject,
    },
  };
}

/** DELETE of a manifest with its tags, or of a tag alone. */
export async function deleteManifest(
  storage: RegistryStorage,
  request: Request,
  repository: string,
  target: string,
): Promise<Reply> {
  demandTarget(target);
  const expect = await expectation(storage, request, repository, target);
  if (expect === 'absent') throw new OciFault(412, 'DENIED', `${target} of ${repository} was expected to be absent`);
  const removed = await storage.manifests.delete(repository, target, expect);
  if (!removed) throw await unknownManifest(storage, repository, target);
  return { status: 202, headers: { 'content-length': '0' } };
}

/**
 * What If-Match and If-None-Match say about the target. For a tag it is decided again, and then for good, by the write itself.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
 */
async function expectation(
  storage: RegistryStorage,
  request: Request,
  repository: string,
  target: string,
): Promise<Digest | 'absent' | undefined> {
  const match = entityTags(header(request, 'if-match'));
  const noneMatch = entityTags(header(request, 'if-none-match'));
  if (match === undefined && noneMatch === undefined) return undefined;
  const found = (await storage.manifests.resolve(repository, target))?.digest;
  const failed =
    (match !== undefined && (found === undefined || (match !== '*' && !match.includes(found)))) ||
    (noneMatch !== undefined && found !== undefined && (noneMatch === '*' || noneMatch.includes(found)));
  if (failed) {
    throw new OciFault(
      412,
      'DENIED',
      `${target} of ${repository} names ${found ?? 'nothing'}: the condition does not hold`,
    );
  }
  return found ?? 'absent';
}

async function gather(request: Request): Promise<Uint8Array> {
  const tooLarge = (size: string) =>
    new OciFault(413, 'SIZE_INVALID', `the manifest has ${size} bytes, at most ${ManifestLimit.bytes} are taken`);
  const announced = Number(header(request, 'content-length') ?? 0);
  if (announced > ManifestLimit.bytes) throw tooLarge(`${announced}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > ManifestLimit.bytes) throw tooLarge('more');
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

function demandTarget(target: string): void {
  if (isDigest(target) || isTag(target)) return;
  const shown = target.length > 140 ? `${target.slice(0, 140)}…` : target;
  if (target.includes(':')) throw new OciFault(400, 'DIGEST_INVALID', `${JSON.stringify(shown)} is not a digest`);
  throw new OciFault(400, 'TAG_INVALID', `${JSON.stringify(shown)} is not a tag`);
}

async function unknownManifest(storage: RegistryStorage, repository: string, target: string): Promise<OciFault> {
  if (await storage.listings.exists(repository)) {
    return new OciFault(404, 'MANIFEST_UNKNOWN', `${repository} has no manifest ${target}`);
  }
  return new OciFault(404, 'NAME_UNKNOWN', `there is no repository ${repository}`);
}
