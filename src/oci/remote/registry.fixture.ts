// SPDX-License-Identifier: Apache-2.0
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { digestOf } from '../digest.ts';
import { MediaType } from '../media-type.ts';

/** What a registry may do or leave, as those in the field do. */
export interface RegistryTraits {
  readonly referrersApi?: boolean;
  /** honours If-Match and If-None-Match on manifests, and answers a write with an ETag */
  readonly conditions?: boolean;
  /** takes a blob with the request that starts its upload */
  readonly singlePost?: boolean;
  /** bodies above are refused with 413 */
  readonly maxBodyBytes?: number;
  /** `authorization` that a request must have; asked for with this challenge */
  readonly authorize?: (request: IncomingMessage) => string | undefined;
  /** answers in place of the registry where it returns true */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean | Promise<boolean>;
}

interface Manifest {
  readonly bytes: Buffer;
  readonly type: string;
}

interface Stored {
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, Manifest>;
  readonly tags: Map<string, string>;
  readonly uploads: Map<string, Buffer>;
}

/** A registry in memory on 127.0.0.1, which ends at the end of the block. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** `METHOD path` of all requests so far */
  readonly requests: string[];
  readonly repositories: Map<string, Stored>;
  connections(): number;
}

/** Starts a registry as the traits say; a complete and correct one where nothing is said. */
export async function startRegistry(traits: RegistryTraits = {}): Promise<TestRegistry> {
  const repositories = new Map<string, Stored>();
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.on('error', () => undefined);
    request.on('error', () => undefined);
    void answer(request, response, traits, repositories);
  });
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    repositories,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  traits: RegistryTraits,
  repositories: Map<string, Stored>,
): Promise<void> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return;
  }
  const body = Buffer.concat(chunks);
  if ((await traits.intercept?.(request, response, body)) === true) return;
  const challenge = traits.authorize?.(request);
  if (challenge !== undefined) {
    response.setHeader('www-authenticate', challenge);
    return refuse(response, 401, 'UNAUTHORIZED');
  }
  if (body.length > (traits.maxBodyBytes ?? Infinity)) return refuse(response, 413, 'SIZE_INVALID');
  const url = new URL(request.url ?? '/', 'http://registry.test');
  const [, name = '', kind = '', rest = ''] =
    /^\/v2\/(.+?)\/(manifests|blobs\/uploads|blobs|referrers|tags)\/(.*)$/.exec(url.pathname) ?? [];
  const stored = repositories.get(name) ?? {
    blobs: new Map(),
    manifests: new Map(),
    tags: new Map(),
    uploads: new Map(),
  };
  repositories.set(name, stored);
  const context: Context = { request, response, body, url, name, rest, stored, traits, repositories };
  const handler = HANDLERS[kind];
  if (handler === undefined) refuse(response, 404);
  else handler(context);
}

interface Context {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
  readonly url: URL;
  readonly name: string;
  readonly rest: string;
  readonly stored: Stored;
  readonly traits: RegistryTraits;
  readonly repositories: Map<string, Stored>;
}

const HANDLERS: Readonly<Record<string, (context: Context) => void>> = {
  manifests: answerManifest,
  blobs: answerBlob,
  'blobs/uploads': answerUpload,
  referrers: answerReferrers,
  tags: answerTags,
};

function refuse(response: ServerResponse, status: number, code?: string): void {
  const body =
    code === undefined ? 'page not found' : JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
  response.writeHead(status, { 'content-type': code === undefined ? 'text/plain' : 'application/json' }).end(body);
}

function answerManifest({ request, response, body, rest, stored, traits }: Context): void {
  const digest = rest.includes(':') ? rest : stored.tags.get(rest);
  const manifest = stored.manifests.get(digest ?? '');
  if (request.method === 'PUT') {
    const { 'if-match': match, 'if-none-match': none } = request.headers;
    const failed = (match !== undefined && match !== `"${digest}"`) || (none !== undefined && digest !== undefined);
    if (traits.conditions !== false && failed) return refuse(response, 412, 'DENIED');
    const written = digestOf(body);
    stored.manifests.set(written, { bytes: body, type: request.headers['content-type'] ?? '' });
    if (!rest.includes(':')) stored.tags.set(rest, written);
    const { subject } = JSON.parse(body.toString()) as { subject?: { digest: string } };
    if (subject !== undefined && traits.referrersApi !== false) response.setHeader('oci-subject', subject.digest);
    if (traits.conditions !== false) response.setHeader('etag', `"${written}"`);
    response.writeHead(201, { 'docker-content-digest': written, location: `/v2/x/manifests/${written}` }).end();
    return;
  }
  if (digest === undefined || manifest === undefined) return refuse(response, 404, 'MANIFEST_UNKNOWN');
  if (request.method === 'DELETE') {
    if (rest.includes(':')) {
      stored.manifests.delete(digest);
      for (const [tag, named] of stored.tags) if (named === digest) stored.tags.delete(tag);
    } else stored.tags.delete(rest);
    response.writeHead(202).end();
    return;
  }
  const headers = { 'docker-content-digest': digest, etag: `"${digest}"`, 'content-length': manifest.bytes.length };
  response.writeHead(200, { 'content-type': manifest.type, ...headers }).end(manifest.bytes);
}

function answerBlob({ request, response, rest, stored }: Context): void {
  const blob = stored.blobs.get(rest);
  if (blob === undefined) return refuse(response, 404, 'BLOB_UNKNOWN');
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const part = blob.subarray(from);
  const range = from === 0 ? {} : { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
  response.writeHead(from === 0 ? 200 : 206, { 'content-length': part.length, ...range }).end(part);
}

function answerUpload({ request, response, body, url, name, rest, stored, traits, repositories }: Context): void {
  const location = (id: string): string => `/v2/${name}/blobs/uploads/${id}?state=a%2Fb%3D`;
  const digest = url.searchParams.get('digest') ?? undefined;
  const store = (bytes: Buffer): void => {
    const found: string = digestOf(bytes, digest?.startsWith('sha512') === true ? 'sha512' : 'sha256');
    if (digest === undefined || found !== digest) return refuse(response, 400, 'DIGEST_INVALID');
    stored.blobs.set(digest, bytes);
    response.writeHead(201, { 'docker-content-digest': digest, location: `/v2/${name}/blobs/${digest}` }).end();
  };
  if (request.method === 'POST') {
    const mount = url.searchParams.get('mount');
    const source = repositories.get(url.searchParams.get('from') ?? '')?.blobs.get(mount ?? '');
    if (mount !== null && source !== undefined) {
      stored.blobs.set(mount, source);
      response.writeHead(201, { location: `/v2/${name}/blobs/${mount}` }).end();
      return;
    }
    if (digest !== undefined && traits.singlePost !== false) return store(body);
    const id = `${stored.uploads.size + 1}`;
    stored.uploads.set(id, Buffer.alloc(0));
    response.writeHead(202, { location: location(id) }).end();
    return;
  }
  const begun = stored.uploads.get(rest);
  if (begun === undefined || url.searchParams.get('state') !== 'a/b=')
    return refuse(response, 404, 'BLOB_UPLOAD_UNKNOWN');
  const whole = Buffer.concat([begun, body]);
  const range = { range: `0-${Math.max(0, whole.length - 1)}`, location: location(rest) };
  if (request.method === 'GET') response.writeHead(204, range).end();
  else if (request.method === 'DELETE') {
    stored.uploads.delete(rest);
    response.writeHead(204).end();
  } else if (request.method === 'PUT') store(whole);
  else if (request.headers['content-range']?.startsWith(`${begun.length}-`) !== true)
    refuse(response, 416, 'BLOB_UPLOAD_INVALID');
  else {
    stored.uploads.set(rest, whole);
    response.writeHead(202, range).end();
  }
}

function answerReferrers({ response, rest, stored, traits }: Context): void {
  if (traits.referrersApi === false) return refuse(response, 404);
  const manifests = [...stored.manifests].flatMap(([digest, { bytes, type }]) => {
    const { subject, artifactType, config, annotations } = JSON.parse(bytes.toString()) as Record<string, never> & {
      subject?: { digest: string };
      config?: { mediaType: string };
    };
    if (subject?.digest !== rest) return [];
    return [
      { mediaType: type, digest, size: bytes.length, artifactType: artifactType ?? config?.mediaType, annotations },
    ];
  });
  response.writeHead(200, { 'content-type': MediaType.imageIndex });
  response.end(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests }));
}

function answerTags({ response, url, name, stored }: Context): void {
  const last = url.searchParams.get('last') ?? '';
  const size = Math.min(Number(url.searchParams.get('n') ?? 100), 3);
  const tags = [...stored.tags.keys()].toSorted().filter((tag) => tag > last);
  const page = tags.slice(0, size);
  const link = { link: `</v2/${name}/tags/list?n=${size}&last=${page.at(-1)}>; rel="next"` };
  response.writeHead(200, { 'content-type': 'application/json', ...(tags.length > size ? link : {}) });
  response.end(JSON.stringify({ name, tags: page }));
}
