// SPDX-License-Identifier: Apache-2.0
import { digestAlgorithm, RegistryError, type Digest } from '../../oci/index.ts';
import { header, WireError, type Reply } from '../../wire/index.ts';
import type { Access } from '../auth/access.ts';
import type { RegistryStorage } from '../storage/registry-storage.ts';
import type { Upload, Uploads } from '../storage/uploads.ts';
import { demandDigest } from './blobs.ts';
import type { Request } from './call.ts';
import { OciFault } from './oci-fault.ts';
import { parseContentRange } from './range.ts';

/** POST: begins an upload, or makes the whole of it (`?digest=`), or mounts (`?mount=&from=`). */
export async function beginUpload(
  storage: RegistryStorage,
  uploads: Uploads,
  access: Access,
  request: Request,
  repository: string,
): Promise<Reply> {
  const { query } = request;
  const mount = query.get('mount');
  if (mount !== null && (await mounted(storage, access, request, repository, demandDigest(mount)))) {
    return blobCreated(repository, demandDigest(mount));
  }
  const named = query.get('digest');
  if (named === null) {
    const algorithm = query.get('digest-algorithm') === 'sha512' ? 'sha512' : 'sha256';
    return uploadReply(202, uploads.begin(repository, algorithm));
  }
  const digest = demandDigest(named);
  const upload = uploads.begin(repository, digestAlgorithm(digest));
  try {
    await upload.append(request.body);
    await upload.finish(digest);
  } finally {
    await uploads.end(upload);
  }
  return blobCreated(repository, digest);
}

/** GET: how far an upload is. */
export function uploadStatus(uploads: Uploads, repository: string, id: string): Reply {
  return uploadReply(204, demandUpload(uploads, repository, id));
}

/** PATCH: a chunk in its place (Content-Range), or all that comes. */
export async function appendUpload(uploads: Uploads, request: Request, repository: string, id: string): Promise<Reply> {
  const upload = demandUpload(uploads, repository, id);
  await appendInOrder(uploads, upload, request);
  return uploadReply(202, upload);
}

/**
 * PUT: the last chunk, or nothing more, and the digest of the whole. A client that did not hear the answer and asks again, when the
 * upload has ended and the blob is there, hears it then.
 */
export async function finishUpload(
  storage: RegistryStorage,
  uploads: Uploads,
  request: Request,
  repository: string,
  id: string,
): Promise<Reply> {
  const digest = demandDigest(request.query.get('digest') ?? '');
  const upload = uploads.find(repository, id);
  if (upload === undefined) {
    if ((await storage.blobs.find(repository, digest)) !== undefined) return blobCreated(repository, digest);
    throw unknownUpload(repository);
  }
  await appendInOrder(uploads, upload, request);
  try {
    await upload.finish(digest);
  } catch (error) {
    if (!isBusy(error)) await uploads.end(upload);
    throw error;
  }
  await uploads.end(upload);
  return blobCreated(repository, digest);
}

/** DELETE: gives an upload up. */
export async function cancelUpload(uploads: Uploads, repository: string, id: string): Promise<Reply> {
  await uploads.end(demandUpload(uploads, repository, id));
  return { status: 204, headers: {} };
}

/** A repository's blob may be mounted by who may read it there. Without a source, or where it is not, the client uploads. */
async function mounted(
  storage: RegistryStorage,
  access: Access,
  request: Request,
  repository: string,
  digest: Digest,
): Promise<boolean> {
  const from = request.query.get('from');
  if (from === null || !access.allows(request.principal, 'pull', from)) return false;
  return storage.blobs.mount(repository, digest, from);
}

async function appendInOrder(uploads: Uploads, upload: Upload, request: Request): Promise<void> {
  const range = parseContentRange(header(request, 'content-range'));
  if (range === 'malformed') {
    throw new OciFault(400, 'BLOB_UPLOAD_INVALID', "Content-Range is not of the form '<first>-<last>'");
  }
  if (range !== undefined && range.start !== upload.size) {
    throw new OciFault(416, 'BLOB_UPLOAD_INVALID', `the chunk begins at ${range.start}, expected ${upload.size}`, {
      headers: uploadHeaders(upload),
    });
  }
  const length = header(request, 'content-length');
  if (range !== undefined && length !== undefined && Number(length) !== range.end - range.start + 1) {
    throw new OciFault(400, 'SIZE_INVALID', `Content-Length is ${length}, Content-Range ${range.start}-${range.end}`);
  }
  try {
    await upload.append(request.body);
  } catch (error) {
    if (isBusy(error)) throw new OciFault(409, 'BLOB_UPLOAD_INVALID', error.message, { cause: error });
    // A connection that broke (a fault of the request) can be taken up where it ended; after anything else the content is uncertain.
    if (!(error instanceof OciFault || error instanceof WireError)) await uploads.end(upload);
    throw error;
  }
}

function isBusy(error: unknown): error is RegistryError {
  return error instanceof RegistryError && error.code === 'conflict';
}

function demandUpload(uploads: Uploads, repository: string, id: string): Upload {
  const upload = uploads.find(repository, id);
  if (upload === undefined) throw unknownUpload(repository);
  return upload;
}

function unknownUpload(repository: string): OciFault {
  return new OciFault(404, 'BLOB_UPLOAD_UNKNOWN', `${repository} has no such upload open: begin again`);
}

function uploadReply(status: number, upload: Upload): Reply {
  return { status, headers: { ...uploadHeaders(upload), ...(status === 204 ? {} : { 'content-length': '0' }) } };
}

function uploadHeaders(upload: Upload): Record<string, string> {
  return {
    location: `/v2/${upload.repository}/blobs/uploads/${upload.id}`,
    'docker-upload-uuid': upload.id,
    // Nothing yet is written as 0-0 too: the header cannot say it.
    range: `0-${Math.max(0, upload.size - 1)}`,
  };
}

function blobCreated(repository: string, digest: Digest): Reply {
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/blobs/${digest}`,
      'docker-content-digest': digest,
      'content-length': '0',
    },
  };
}
