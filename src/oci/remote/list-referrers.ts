// SPDX-License-Identifier: Apache-2.0
import { readBody, shownUrl, WireError, type HttpResponse } from '../../wire/index.ts';
import type { Descriptor } from '../descriptor.ts';
import type { Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { MediaType } from '../media-type.ts';
import { quoted } from '../quoted.ts';
import { decodeIndexEntries, type IndexEntries } from '../referrers-index.ts';
import type { ReferrersListing } from '../repository.ts';
import { nextPage } from './link-header.ts';
import { beginsObject } from './read-manifest.ts';
import { isAbsence, readRefusal, refused, saysAbsent } from './registry-answer.ts';
import { mediaTypeOf, type Session } from './session.ts';

interface Page {
  readonly bytes: Uint8Array;
  readonly next: URL | undefined;
}

/**
 * What the referrers API lists, all pages of it up to the caps; undefined where the registry does not have that API.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function listReferrers(session: Session, subject: Digest): Promise<ReferrersListing | undefined> {
  if (session.hasReferrersApi === false) return undefined;
  const { limits } = session.connection;
  const doing = `list the referrers of ${session.shown(subject)}`;
  const deadline = session.connection.deadline();
  const found = new Map<Digest, Descriptor>();
  const visited = new Set<string>();
  let bytes = 0;
  let target: string | URL = session.path(`referrers/${subject}`);
  for (let pages = 1; ; pages++) {
    const page = await readPage(session, target, doing, deadline);
    if (page === undefined) return undefined;
    if (page === 'too-large') return listing(found, true);
    bytes += page.bytes.byteLength;
    const { descriptors, malformed, truncated } = decodePage(page.bytes, doing);
    if (malformed > 0)
      session.connection.warn(`${malformed} entries among the referrers of ${subject} are malformed and left out`);
    for (const descriptor of descriptors) {
      if (found.size >= limits.referrers && !found.has(descriptor.digest)) return listing(found, true);
      if (!found.has(descriptor.digest)) found.set(descriptor.digest, descriptor);
    }
    if (page.next === undefined || truncated) return listing(found, truncated);
    if (pages >= limits.referrersPages || bytes >= limits.referrersBytes) return listing(found, true);
    if (visited.has(page.next.href)) {
      throw new RegistryError('protocol-violation', `cannot ${doing}: its pages go in a circle`, {
        url: shownUrl(page.next),
      });
    }
    visited.add(page.next.href);
    target = page.next;
  }
}

function decodePage(bytes: Uint8Array, doing: string): IndexEntries {
  try {
    return decodeIndexEntries(bytes);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    throw new RegistryError(cause.code, `cannot ${doing}: what is answered is no index: ${cause.message}`, { cause });
  }
}

function listing(found: ReadonlyMap<Digest, Descriptor>, truncated: boolean): ReferrersListing {
  return { place: 'referrers-api', descriptors: [...found.values()], truncated, exists: true };
}

async function readPage(
  session: Session,
  target: string | URL,
  doing: string,
  deadline: number,
): Promise<Page | 'too-large' | undefined> {
  const { connection } = session;
  const first = typeof target === 'string';
  const request = {
    doing,
    method: 'GET',
    target,
    headers: { accept: MediaType.imageIndex },
    scopes: session.pull,
    deadline,
  };
  return connection.exchange(request, async (response) => {
    if (response.status !== 200) return first ? expectNoApi(session, response, doing) : refuse(response, doing);
    let bytes: Uint8Array;
    try {
      bytes = await readBody(response, connection.limits.pageBytes, 'the page');
    } catch (error) {
      if (error instanceof WireError && error.code === 'too-large') return 'too-large';
      throw error;
    }
    if (!beginsObject(bytes)) {
      const type = quoted(mediaTypeOf(response));
      throw new RegistryError(
        'protocol-violation',
        `cannot ${doing}: ${shownUrl(response.url)} answers ${type} that is no index`,
        {
          url: shownUrl(response.url),
          status: 200,
        },
      );
    }
    session.hasReferrersApi = true;
    return { bytes, next: nextPage(response, doing) };
  });
}

async function expectNoApi(session: Session, response: HttpResponse, doing: string): Promise<undefined> {
  const refusal = await readRefusal(response);
  const isMissing =
    [405, 501].includes(response.status) ||
    (response.status === 404 && isAbsence(404, refusal)) ||
    (response.status === 400 && refusal.code === 'UNSUPPORTED');
  if (!isMissing) throw refused(response, refusal, doing);
  // A registry with the API may still not know the repository: that tells nothing about the next time.
  if (!saysAbsent(refusal)) session.hasReferrersApi = false;
}

async function refuse(response: HttpResponse, doing: string): Promise<never> {
  throw refused(response, await readRefusal(response), doing);
}
