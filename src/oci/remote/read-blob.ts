// SPDX-License-Identifier: Apache-2.0
import {
  contentLength,
  isPassingFailure,
  readBody,
  retryDelay,
  DEFAULT_RETRY,
  shownUrl,
  type HttpResponse,
} from '../../wire/index.ts';
import { digestAlgorithm, digestOf, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import type { BlobStream } from '../repository.ts';
import type { Scope } from './authorizer.ts';
import type { RegistryRequest } from './registry-connection.ts';
import { verifiedStream } from '../verified-stream.ts';
import { expectAbsent, type Session } from './session.ts';

/** A whole blob in memory; one that was read is not asked for again. */
export async function readBlob(session: Session, digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
  const blob = await session.blobs.once(digest, `${digest} ${maxBytes}`, () => fetchBlob(session, digest, maxBytes));
  if (blob === undefined || blob.bytes.byteLength <= maxBytes) return blob?.bytes;
  throw new RegistryError(
    'too-large',
    `cannot read blob ${digest}: it has ${blob.bytes.byteLength} bytes, at most ${maxBytes} are read`,
  );
}

async function fetchBlob(
  session: Session,
  digest: Digest,
  maxBytes: number,
): Promise<{ bytes: Uint8Array } | undefined> {
  const request = blobRequest(session, digest, maxBytes);
  return session.connection.exchange(request, async (response) => {
    if (response.status !== 200) return expectAbsent(response, request.doing);
    const bytes = await readBody(response, maxBytes, `blob ${digest}`);
    const found = digestOf(bytes, digestAlgorithm(digest));
    if (found !== digest)
      throw mismatch(response, request.doing, `the ${bytes.byteLength} bytes answered are ${found}`);
    session.present.add(digest);
    return { bytes };
  });
}

/** A blob as a stream, which continues where it was reset and fails at its end where it was not what was asked for. */
export async function openBlob(session: Session, digest: Digest): Promise<BlobStream | undefined> {
  const { connection } = session;
  const request = blobRequest(session, digest, 0);
  const response = await connection.open(request);
  if (response.status !== 200) {
    await expectAbsent(response, request.doing);
    return undefined;
  }
  const size = contentLength(response.headers) ?? (await blobSize(session, digest));
  if (size === undefined) {
    await response.discard();
    throw new RegistryError(
      'protocol-violation',
      `cannot ${request.doing}: ${response.url.host} does not say how large it is`,
    );
  }
  const body = resumed(session, digest, size, response);
  return { size, body: verifiedStream(body, { digest, size }, `blob ${session.shown(digest)}`) };
}

/** Whether a blob is there. */
export async function hasBlob(
  session: Session,
  digest: Digest,
  scopes: readonly Scope[] = session.pull,
): Promise<boolean> {
  if (session.present.has(digest) || session.blobs.get(digest) !== undefined) return true;
  return (await headBlob(session, digest, scopes)) !== undefined;
}

async function blobSize(session: Session, digest: Digest): Promise<number | undefined> {
  const response = await headBlob(session, digest, session.pull);
  return response === undefined ? undefined : contentLength(response.headers);
}

async function headBlob(session: Session, digest: Digest, scopes: readonly Scope[]): Promise<HttpResponse | undefined> {
  const request = {
    ...blobRequest(session, digest, 0),
    method: 'HEAD',
    scopes,
    doing: `look for blob ${session.shown(digest)}`,
  };
  return session.connection.exchange(request, async (response) => {
    if (response.status !== 200) return expectAbsent(response, request.doing);
    session.present.add(digest);
    return response;
  });
}

function blobRequest(session: Session, digest: Digest, bytes: number): RegistryRequest {
  return {
    doing: `read blob ${session.shown(digest)}`,
    method: 'GET',
    target: session.path(`blobs/${digest}`),
    scopes: session.pull,
    deadline: session.connection.deadline(bytes),
  };
}

/** The bytes of a blob, read on where the connection was reset. */
async function* resumed(
  session: Session,
  digest: Digest,
  size: number,
  first: HttpResponse,
): AsyncGenerator<Uint8Array> {
  const { clock, random } = session.connection.client;
  const request = blobRequest(session, digest, size);
  let response = first;
  let at = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const chunk of remainder(response, at)) {
        at += chunk.byteLength;
        yield chunk;
      }
      return;
    } catch (error) {
      const again = attempt < DEFAULT_RETRY.attempts && isPassingFailure(error) && clock.now() < request.deadline;
      if (!again) throw session.connection.explain(error, request.doing, first.url);
      if (at >= size) return; // everything is here
    }
    await clock.sleep(retryDelay(DEFAULT_RETRY, attempt, undefined, random));
    response = await reopen(session, request, at);
  }
}

/** Asks for what is missing. @see https://www.rfc-editor.org/rfc/rfc9110#section-14 */
async function reopen(session: Session, request: RegistryRequest, at: number): Promise<HttpResponse> {
  const headers = at === 0 ? {} : { range: `bytes=${at}-` };
  const response = await session.connection.open({ ...request, headers });
  if (response.status === 200 || (response.status === 206 && at > 0)) return response;
  await expectAbsent(response, request.doing);
  throw new RegistryError('protocol-violation', `cannot ${request.doing}: it was gone when it was to be read on`);
}

/** What follows the first `at` bytes, whether the answer holds that only (206) or everything (200). */
async function* remainder(response: HttpResponse, at: number): AsyncGenerator<Uint8Array> {
  let skip = response.status === 206 ? 0 : at;
  if (response.status === 206 && !(response.headers['content-range'] ?? '').startsWith(`bytes ${at}-`)) {
    await response.discard();
    throw new RegistryError(
      'protocol-violation',
      `${response.url.host} answers another range than the one from byte ${at}`,
    );
  }
  for await (const chunk of response.body) {
    if (skip >= chunk.byteLength) skip -= chunk.byteLength;
    else {
      yield skip === 0 ? chunk : chunk.subarray(skip);
      skip = 0;
    }
  }
}

function mismatch(response: HttpResponse, doing: string, found: string): RegistryError {
  const type = response.headers['content-type'];
  const html = type?.includes('html') === true ? ' (HTML)' : '';
  return new RegistryError('digest-mismatch', `cannot ${doing}: ${found}${html}`, { url: shownUrl(response.url) });
}
