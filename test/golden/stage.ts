// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fallbackTag, type Digest } from '../../src/oci/index.ts';
import type { Layout, RecordedManifest } from './layout.ts';
import type { RepositoryState } from './recording.ts';

/**
 * Pushes the state of a repository to a registry, in plain requests: not by the client that is under test.
 *
 * @param origin `http://localhost:PORT` of a registry with the referrers API
 * @param path the repository
 */
export async function pushState(origin: string, path: string, state: RepositoryState, source: Layout): Promise<void> {
  const tagsOf = new Map<Digest, string[]>();
  for (const [tag, digest] of state.tags) tagsOf.set(digest, [...(tagsOf.get(digest) ?? []), tag]);
  for (const digest of inOrder([...state.tags.values(), ...state.referrers], source)) {
    const bytes = source.blob(digest);
    if (bytes === undefined) continue;
    const manifest = source.manifest(digest);
    for (const part of [manifest.config, ...(manifest.layers ?? [])]) {
      const blob = part === undefined ? undefined : source.blob(part.digest);
      if (part !== undefined && blob !== undefined) await putBlob(origin, path, part.digest, blob);
    }
    for (const target of tagsOf.get(digest) ?? [digest])
      await putManifest(origin, path, target, manifest.mediaType, bytes);
  }
}

/** What a registry without the referrers API holds instead: the index of the referrers under the fallback tag. */
export async function pushFallbackIndex(
  origin: string,
  path: string,
  state: RepositoryState,
  source: Layout,
): Promise<void> {
  for (const [subject, referrers] of Map.groupBy(
    state.referrers,
    (digest) => source.manifest(digest).subject?.digest,
  )) {
    if (subject === undefined) continue;
    const manifests = referrers.map((digest) => ({
      mediaType: source.manifest(digest).mediaType,
      size: source.blob(digest)?.byteLength ?? 0,
      digest,
    }));
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const index = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    await putManifest(origin, path, fallbackTag(subject), mediaType, index);
  }
}

/** Manifests with all that they list, what is listed first. */
function inOrder(roots: readonly Digest[], source: Layout): readonly Digest[] {
  const ordered = new Set<Digest>();
  const visit = (digest: Digest): void => {
    if (ordered.has(digest) || source.blob(digest) === undefined) return;
    for (const child of source.manifest(digest).manifests ?? []) visit(child.digest);
    ordered.add(digest);
  };
  roots.forEach(visit);
  return [...ordered];
}

async function putBlob(origin: string, path: string, digest: Digest, bytes: Uint8Array): Promise<void> {
  const opened = await fetch(`${origin}/v2/${path}/blobs/uploads/`, { method: 'POST' });
  assert.equal(opened.status, 202, `${path}: POST of an upload: ${await opened.text()}`);
  const location = new URL(opened.headers.get('location') ?? '', origin);
  location.searchParams.set('digest', digest);
  const stored = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from(bytes),
  });
  assert.equal(stored.status, 201, `${path}: PUT of ${digest}: ${await stored.text()}`);
}

async function putManifest(
  origin: string,
  path: string,
  target: string,
  type: string,
  bytes: Uint8Array,
): Promise<void> {
  const stored = await fetch(`${origin}/v2/${path}/manifests/${target}`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body: Buffer.from(bytes),
  });
  assert.equal(stored.status, 201, `${path}: PUT of manifest ${target}: ${await stored.text()}`);
}

/** A manifest as a registry answers it, or `undefined` where it has none. */
export async function getManifest(origin: string, path: string, target: string): Promise<Uint8Array | undefined> {
  const response = await fetch(`${origin}/v2/${path}/manifests/${target}`, {
    headers: { accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, */*' },
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return response.ok ? bytes : undefined;
}

/** A blob as a registry answers it. */
export async function getBlob(origin: string, path: string, digest: Digest): Promise<Uint8Array> {
  const response = await fetch(`${origin}/v2/${path}/blobs/${digest}`);
  assert.equal(response.status, 200, `${path}: GET of ${digest}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The manifests that refer to a digest, as a registry with the API lists them. */
export async function getReferrers(origin: string, path: string, digest: Digest): Promise<readonly Digest[]> {
  const response = await fetch(`${origin}/v2/${path}/referrers/${digest}`);
  assert.equal(response.status, 200, `${path}: GET of the referrers of ${digest}`);
  return ((await response.json()) as RecordedManifest).manifests?.map((entry) => entry.digest) ?? [];
}

/** A registry that does not know the referrers API, in front of one that does. */
export interface OldRegistry {
  readonly origin: string;
  close(): Promise<void>;
}

/** Answers 404 to the referrers API and hides that a subject was heeded; everything else goes through. */
export async function serveWithoutReferrers(origin: string): Promise<OldRegistry> {
  const server = createServer((incoming, outgoing) => {
    if (/^\/v2\/.+\/referrers\//.test(incoming.url ?? '')) {
      outgoing.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
      return;
    }
    const { host: _, ...headers } = incoming.headers;
    const forwarded = request(new URL(incoming.url ?? '/', origin), { method: incoming.method, headers }, (answer) => {
      const { 'oci-subject': __, ...rest } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, rest);
      answer.pipe(outgoing);
    });
    forwarded.on('error', (error) => outgoing.destroy(error));
    incoming.pipe(forwarded);
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close: () =>
      new Promise((resolve, reject) => {
        server.closeAllConnections();
        server.close((error) => (error === undefined ? resolve() : reject(error)));
      }),
  };
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
}
