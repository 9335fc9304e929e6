// SPDX-License-Identifier: Apache-2.0
import { contentLength, readBody, shownUrl, type HttpResponse } from '../../wire/index.ts';
import type { Descriptor } from '../descriptor.ts';
import { digestAlgorithm, digestOf, isDigest, type Digest } from '../digest.ts';
import { RegistryError } from '../error.ts';
import { decodeManifest, isManifestMediaType } from '../manifest.ts';
import { MANIFEST_MEDIA_TYPES } from '../media-type.ts';
import { quoted } from '../quoted.ts';
import type { StoredManifest } from '../repository.ts';
import { expectAbsent, mediaTypeOf, type Session } from './session.ts';

const ACCEPT = MANIFEST_MEDIA_TYPES.join(', ');

/**
 * Tag or digest to descriptor: HEAD, and GET where a registry's HEAD does not tell all that is needed.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#checking-if-content-exists-in-the-registry
 */
export async function resolveManifest(session: Session, target: string): Promise<Descriptor | undefined> {
  const known = isDigest(target) ? session.manifests.get(target) : undefined;
  if (known !== undefined) return known.descriptor;
  const { connection } = session;
  const doing = `resolve ${session.shown(target)}`;
  const request = {
    doing,
    method: 'HEAD',
    target: session.manifestPath(target),
    headers: { accept: ACCEPT },
    scopes: session.pull,
    deadline: connection.deadline(),
  };
  const found = await connection.exchange(request, async (response): Promise<Descriptor | 'unclear' | undefined> => {
    if (response.status === 200) return describeHead(response, target, doing) ?? 'unclear';
    // why a registry denies it stands in a body, and that HEAD does not have
    if ([403, 405, 501].includes(response.status)) return 'unclear';
    return expectAbsent(response, doing);
  });
  return found === 'unclear' ? (await readManifest(session, target))?.descriptor : found;
}

/** A manifest with the ETag that it was answered with. */
export interface TaggedManifest extends StoredManifest {
  readonly etag?: string;
}

/** A manifest by tag or digest; one by digest is asked for once. */
export async function readManifest(session: Session, target: string): Promise<StoredManifest | undefined> {
  if (isDigest(target)) return session.manifests.once(target, target, () => fetchManifest(session, target));
  const manifest = await fetchManifest(session, target);
  if (manifest !== undefined) session.manifests.add(manifest.descriptor.digest, manifest);
  return manifest;
}

/** A manifest as the registry has it now. */
export async function fetchManifest(session: Session, target: string): Promise<TaggedManifest | undefined> {
  const { connection } = session;
  const doing = `read ${session.shown(target)}`;
  const request = {
    doing,
    method: 'GET',
    target: session.manifestPath(target),
    headers: { accept: ACCEPT },
    scopes: session.pull,
    deadline: connection.deadline(),
  };
  return connection.exchange(request, async (response) => {
    if (response.status !== 200) return expectAbsent(response, doing);
    const bytes = await readBody(response, connection.limits.manifestBytes, 'the manifest');
    const digest = checkDigest(response, bytes, target, doing);
    const mediaType = manifestType(response, bytes, doing);
    const etag = response.headers['etag'];
    const descriptor = { mediaType, digest, size: bytes.byteLength };
    return { descriptor, bytes, ...(etag === undefined ? {} : { etag }) };
  });
}

/** Undefined where the header does not tell enough. */
function describeHead(response: HttpResponse, target: string, doing: string): Descriptor | undefined {
  const told = response.headers['docker-content-digest'];
  const size = contentLength(response.headers);
  const mediaType = mediaTypeOf(response);
  if (told === undefined || !isDigest(told) || size === undefined || !isManifestMediaType(mediaType)) return undefined;
  if (!isDigest(target)) return { mediaType, digest: told, size };
  // A registry may name the same content by another algorithm.
  if (digestAlgorithm(told) === digestAlgorithm(target) && told !== target) {
    throw mismatch(response, doing, `${told} was answered for it`);
  }
  return { mediaType, digest: target, size };
}

/** The digest that the bytes have, and that they must have: what was asked for or, for a tag, what the registry says it names. */
function checkDigest(response: HttpResponse, bytes: Uint8Array, target: string, doing: string): Digest {
  if (isDigest(target)) {
    const digest = digestOf(bytes, digestAlgorithm(target));
    if (digest !== target) throw mismatch(response, doing, `the ${bytes.byteLength} bytes answered are ${digest}`);
    return target;
  }
  const told = response.headers['docker-content-digest'];
  if (told === undefined) return digestOf(bytes);
  if (!isDigest(told)) {
    throw new RegistryError(
      'protocol-violation',
      `cannot ${doing}: Docker-Content-Digest is ${quoted(told)}, no digest`,
      {
        url: shownUrl(response.url),
      },
    );
  }
  const digest = digestOf(bytes, digestAlgorithm(told));
  if (digest !== told)
    throw mismatch(response, doing, `the registry says ${told}, its ${bytes.byteLength} bytes are ${digest}`);
  return digest;
}

function manifestType(response: HttpResponse, bytes: Uint8Array, doing: string): string {
  const told = mediaTypeOf(response);
  const url = shownUrl(response.url);
  if (!beginsObject(bytes)) {
    const type = told === '' ? 'something' : quoted(told);
    throw new RegistryError('protocol-violation', `cannot ${doing}: ${url} answers ${type} that is no JSON object`, {
      url,
      status: response.status,
    });
  }
  if (isManifestMediaType(told)) return told;
  try {
    return decodeManifest(bytes).mediaType;
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    const message = `cannot ${doing}: ${url} answers ${quoted(told)}, expected a manifest: ${cause.message}`;
    throw new RegistryError(cause.code, message, { cause, url });
  }
}

/** Whether the first byte that is no white space is `{`. */
export function beginsObject(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === 0x7b;
}

function mismatch(response: HttpResponse, doing: string, found: string): RegistryError {
  return new RegistryError('digest-mismatch', `cannot ${doing}: ${found}`, { url: shownUrl(response.url) });
}
