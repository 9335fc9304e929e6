// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest } from '../../oci/index.ts';
import { header, type Reply } from '../../wire/index.ts';
import type { RegistryStorage } from '../storage/registry-storage.ts';
import type { Request } from './call.ts';
import { entityTag, entityTags } from './conditions.ts';
import { OciFault } from './oci-fault.ts';
import { parseRange } from './range.ts';

/** GET and HEAD of a blob, or of a part of it. */
export async function getBlob(
  storage: RegistryStorage,
  request: Request,
  repository: string,
  name: string,
): Promise<Reply> {
  const digest = demandDigest(name);
  const blob = await storage.blobs.find(repository, digest);
  if (blob === undefined) throw unknownBlob(repository, digest);
  const { size } = blob;
  const headers = {
    'docker-content-digest': digest,
    etag: entityTag(digest),
    'accept-ranges': 'bytes',
    // What a digest names never changes.
    'cache-control': 'private, max-age=31536000, immutable',
  };
  const tags = entityTags(header(request, 'if-none-match'));
  if (tags === '*' || tags?.includes(digest) === true) return { status: 304, headers };
  const content = { ...headers, 'content-type': 'application/octet-stream' };
  const range = request.method === 'GET' ? parseRange(header(request, 'range'), size) : undefined;
  if (range === 'unsatisfiable') {
    throw new OciFault(416, 'RANGE_INVALID', `blob ${digest} has ${size} bytes, nothing of the range`, {
      headers: { 'content-range': `bytes */${size}` },
    });
  }
  if (range !== undefined) {
    return {
      status: 206,
      headers: {
        ...content,
        'content-length': `${range.end - range.start + 1}`,
        'content-range': `bytes ${range.start}-${range.end}/${size}`,
      },
      body: blob.read(range),
    };
  }
  const whole = { ...content, 'content-length': `${size}` };
  if (request.method === 'HEAD') return { status: 200, headers: whole };
  return { status: 200, headers: whole, body: blob.read() };
}

/** DELETE of a blob that no manifest of the repository needs. */
export async function deleteBlob(storage: RegistryStorage, repository: string, name: string): Promise<Reply> {
  const digest = demandDigest(name);
  if (!(await storage.blobs.delete(repository, digest))) throw unknownBlob(repository, digest);
  return { status: 202, headers: { 'content-length': '0' } };
}

/** @throws OciFault 400 `DIGEST_INVALID` */
export function demandDigest(text: string): Digest {
  if (isDigest(text)) return text;
  const shown = text.length > 140 ? `${text.slice(0, 140)}…` : text;
  throw new OciFault(
    400,
    'DIGEST_INVALID',
    `${JSON.stringify(shown)} is not a digest (expected sha256:<64 hex> or sha512:<128 hex>)`,
  );
}

function unknownBlob(repository: string, digest: Digest): OciFault {
  return new OciFault(404, 'BLOB_UNKNOWN', `${repository} has no blob ${digest}`);
}
