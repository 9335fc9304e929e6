// SPDX-License-Identifier: Apache-2.0
import type { HttpResponse, RequestBody } from '../../wire/index.ts';
import type { Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { upgraded } from './link-header.ts';
import { readRefusal, refused } from './registry-answer.ts';
import type { RegistryRequest } from './registry-connection.ts';
import type { Session } from './session.ts';

/** An upload that a registry has begun to take. */
export interface Upload {
  /** where its next request goes; may be on another host, which then gets no credentials */
  readonly location: URL;
  /** bytes that the registry has */
  readonly offset: number;
  readonly minChunkBytes: number;
}

const OCTETS = { 'content-type': 'application/octet-stream' };

/** Begins an upload. */
export async function startUpload(session: Session, doing: string, deadline: number): Promise<Upload> {
  const request = {
    ...common(session, doing, deadline),
    method: 'POST',
    target: session.path('blobs/uploads/'),
    repeatable: true, // at worst an upload is begun twice
  };
  return session.connection.exchange(request, async (response) => {
    if (response.status !== 202) throw refused(response, await readRefusal(response), doing);
    return begunUpload(response, doing);
  });
}

/** The upload that an answer says to have begun. */
export function begunUpload(response: HttpResponse, doing: string): Upload {
  const least = response.headers['oci-chunk-min-length'];
  const minChunkBytes = least !== undefined && /^\d{1,10}$/.test(least) ? Number(least) : 0;
  return { location: locationOf(response, doing), offset: 0, minChunkBytes };
}

/** Finishes an upload with the digest; without a body all bytes must be there already, with one none. */
export async function finishUpload(
  session: Session,
  upload: Upload,
  digest: Digest,
  doing: string,
  deadline: number,
  body?: RequestBody,
): Promise<HttpResponse> {
  // As a string: what the registry wrote into the query stays as it is.
  const separator = upload.location.search === '' ? '?' : '&';
  const request = {
    ...common(session, doing, deadline),
    method: 'PUT',
    target: new URL(`${upload.location.href}${separator}digest=${encodeURIComponent(digest)}`),
    headers: OCTETS,
    ...(body === undefined ? {} : { body }),
    repeatable: false, // after a failure the registry may have a part
  };
  return session.connection.exchange(request, async (response) => {
    if (response.status === 201 || response.status === 204) return response;
    throw refused(response, await readRefusal(response), doing);
  });
}

/** Sends the next bytes. */
export async function sendChunk(
  session: Session,
  upload: Upload,
  chunk: Uint8Array,
  doing: string,
  deadline: number,
): Promise<Upload> {
  const end = upload.offset + chunk.byteLength;
  const request = {
    ...common(session, doing, deadline),
    method: 'PATCH',
    target: upload.location,
    headers: { ...OCTETS, 'content-range': `${upload.offset}-${end - 1}` },
    body: chunk,
    repeatable: false,
  };
  return session.connection.exchange(request, async (response) => {
    if (response.status !== 202 && response.status !== 204) throw refused(response, await readRefusal(response), doing);
    const has = rangeEnd(response);
    if (has !== undefined && has !== end) {
      throw new RegistryError(
        'protocol-violation',
        `cannot ${doing}: ${response.url.host} says to have ${has} bytes, ${end} were sent`,
        {
          status: response.status,
        },
      );
    }
    const location = response.headers['location'] === undefined ? upload.location : locationOf(response, doing);
    return { ...upload, location, offset: end };
  });
}

/**
 * How far an upload is that failed on the way; undefined where it has to be started over.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-in-chunks
 */
export async function uploadOffset(
  session: Session,
  upload: Upload,
  size: number,
  deadline: number,
): Promise<Upload | undefined> {
  const doing = 'ask how far an upload is';
  const request = { ...common(session, doing, deadline), method: 'GET', target: upload.location };
  try {
    return await session.connection.exchange(request, async (response) => {
      const offset = response.status === 204 || response.status === 202 ? rangeEnd(response) : undefined;
      // An empty upload is reported as 0-0, as one of a single byte is: neither is worth continuing.
      if (offset === undefined || offset <= 1 || offset > size) return undefined;
      const location = response.headers['location'] === undefined ? upload.location : locationOf(response, doing);
      return { ...upload, location, offset };
    });
  } catch (error) {
    if (error instanceof RegistryError) return undefined; // then it starts over, and fails by itself if it must
    throw error;
  }
}

/** Lets the registry forget an upload; that it does not is no harm. */
export async function cancelUpload(session: Session, upload: Upload, deadline: number): Promise<void> {
  const request = {
    ...common(session, 'cancel an upload', deadline),
    method: 'DELETE',
    target: upload.location,
    repeatable: false,
  };
  try {
    await session.connection.exchange(request, () => Promise.resolve());
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
  }
}

function common(
  session: Session,
  doing: string,
  deadline: number,
): Pick<RegistryRequest, 'doing' | 'deadline' | 'scopes'> {
  return { doing, deadline, scopes: session.push };
}

/** Bytes that the registry has, by its Range header (`0-<last>`). */
function rangeEnd(response: HttpResponse): number | undefined {
  const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers['range'] ?? '');
  return match === null ? undefined : Number(match[1]) + 1;
}

function locationOf(response: HttpResponse, doing: string): URL {
  const location = response.headers['location'];
  if (location === undefined || location === '' || !URL.canParse(location, response.url)) {
    const found = location === undefined || location === '' ? 'no Location' : 'a Location that is no URL';
    throw new RegistryError(
      'protocol-violation',
      `cannot ${doing}: ${response.url.host} answers ${response.status} with ${found}`,
      {
        status: response.status,
      },
    );
  }
  const url = upgraded(new URL(location, response.url), response.asked);
  url.username = '';
  url.password = '';
  url.hash = '';
  if (url.protocol === 'https:' || url.protocol === 'http:') return url;
  throw new RegistryError(
    'redirect-refused',
    `cannot ${doing}: ${response.url.host} sends us to scheme '${url.protocol}'`,
  );
}
