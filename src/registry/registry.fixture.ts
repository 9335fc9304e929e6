// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOf, MediaType, type Descriptor, type Digest } from '../oci/index.ts';
import { DirectoryObjectStore, SqliteDatabase, type ObjectStore } from '../store/index.ts';
import { openAccess, type Access } from './auth/access.ts';
import type { Call, Reply } from '../wire/index.ts';
import { faultReply } from './http/fault-reply.ts';
import { RegistryApi } from './http/registry-api.ts';
import { TagRules } from './rules/tag-rules.ts';
import { RegistryStorage } from './storage/registry-storage.ts';
import { Uploads, type UploadLimits } from './storage/uploads.ts';

/** What a test may set. */
export interface FixtureOptions {
  readonly writeOnce?: readonly string[];
  readonly mutable?: readonly string[];
  readonly access?: Access;
  readonly limits?: Partial<UploadLimits>;
  readonly now?: () => number;
  /** instead of a directory */
  readonly objects?: ObjectStore;
}

/** An answer that was read to its end. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
  readonly text: string;
  /** the code of the first error in the body */
  readonly code: string | undefined;
}

/** A request to be made: `body` as bytes, text, JSON or a stream. */
export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | object;
}

/** A registry without a socket, in a directory that goes with it. */
export interface Fixture {
  readonly storage: RegistryStorage;
  readonly uploads: Uploads;
  readonly database: SqliteDatabase;
  readonly root: string;
  ask(method: string, target: string, ask?: Ask): Promise<Answered>;
  close(): Promise<void>;
}

/** Opens an empty registry. */
export async function openFixture(options: FixtureOptions = {}): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'bulla-registry-'));
  const database = await SqliteDatabase.open(join(root, 'registry.db'));
  const objects = options.objects ?? (await DirectoryObjectStore.open(root));
  const rules = new TagRules(options.writeOnce, options.mutable);
  const storage = await RegistryStorage.open(database, objects, rules, () => 'registry.test');
  const limits = { count: 100, idleMs: 1000, bytes: 64 * 1024 * 1024, ...options.limits };
  const uploads = new Uploads(storage.blobs, limits, options.now ?? Date.now);
  const api = new RegistryApi(storage, uploads, options.access ?? openAccess);
  return {
    storage,
    uploads,
    database,
    root,
    async ask(method, target, ask = {}) {
      const body = bytesOf(ask.body);
      const length = body instanceof Uint8Array ? { 'content-length': `${body.byteLength}` } : {};
      const headers = { ...length, ...ask.headers };
      const call: Call = { method, target, headers, body: body instanceof Uint8Array ? once(body) : body };
      return read(await api.answer(call).catch(faultReply));
    },
    async close() {
      await uploads.close();
      await objects.close();
      await database.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** Pushes a blob in one request; answers its descriptor. */
export async function pushBlob(
  fixture: Pick<Fixture, 'ask'>,
  repository: string,
  content: Uint8Array | string,
  mediaType: string = MediaType.imageLayer,
): Promise<Descriptor> {
  const bytes = Buffer.from(content);
  const digest = digestOf(bytes);
  const answered = await fixture.ask('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: bytes });
  if (answered.status !== 201) throw new Error(`pushing a blob: ${answered.status} ${answered.text}`);
  return { mediaType, digest, size: bytes.byteLength };
}

/** The JSON of an image. */
export function imageJson(
  config: Descriptor,
  layers: readonly Descriptor[],
  more: Readonly<Record<string, unknown>> = {},
): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageManifest, config, layers, ...more }));
}

/** Pushes the parts of an image and its manifest; answers the manifest's descriptor. */
export async function pushImage(
  fixture: Pick<Fixture, 'ask'>,
  repository: string,
  target: string,
  content: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Descriptor> {
  const config = await pushBlob(fixture, repository, '{}', MediaType.imageConfig);
  const layer = await pushBlob(fixture, repository, content);
  const bytes = imageJson(config, [layer], more);
  const digest = digestOf(bytes);
  const answered = await putManifest(fixture, repository, target === '' ? digest : target, bytes);
  if (answered.status !== 201) throw new Error(`pushing an image: ${answered.status} ${answered.text}`);
  return { mediaType: MediaType.imageManifest, digest, size: bytes.byteLength };
}

/** Puts a manifest. */
export async function putManifest(
  fixture: Pick<Fixture, 'ask'>,
  repository: string,
  target: string | Digest,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return fixture.ask('PUT', `/v2/${repository}/manifests/${target}`, {
    headers: { 'content-type': MediaType.imageManifest, ...headers },
    body: bytes,
  });
}

function bytesOf(body: Ask['body']): Uint8Array | AsyncIterable<Uint8Array> {
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  return Symbol.asyncIterator in body ? (body as AsyncIterable<Uint8Array>) : Buffer.from(JSON.stringify(body));
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.byteLength > 0) yield bytes;
}

async function read(reply: Reply): Promise<Answered> {
  const parts: Uint8Array[] = [];
  const { body } = reply;
  if (typeof body === 'string') parts.push(Buffer.from(body));
  else if (body instanceof Uint8Array) parts.push(body);
  else if (body !== undefined) for await (const chunk of body) parts.push(chunk);
  const bytes = Buffer.concat(parts);
  const text = bytes.byteLength < 1_000_000 ? bytes.toString() : '';
  const code = reply.status >= 400 ? /"code":"([A-Z_]+)"/.exec(text)?.[1] : undefined;
  return { status: reply.status, headers: reply.headers, bytes, text, code };
}
