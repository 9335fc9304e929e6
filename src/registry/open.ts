// SPDX-License-Identifier: Apache-2.0
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryObjectStore, openDataDirectory, SqliteDatabase } from '../store/index.ts';
import type { Service } from '../wire/index.ts';
import { openAccess, type Access } from './auth/access.ts';
import { openHtpasswd } from './auth/htpasswd-file.ts';
import { faultReply } from './http/fault-reply.ts';
import { RegistryApi } from './http/registry-api.ts';
import { TagRules } from './rules/tag-rules.ts';
import { RegistryStorage } from './storage/registry-storage.ts';
import type { StoredRepository } from './storage/stored-repository.ts';
import { Uploads } from './storage/uploads.ts';

/** Caps on uploads; each has a default. */
export interface UploadCaps {
  /** uploads at a time */
  readonly uploads: number;
  /** milliseconds after which an upload is given up to which nothing happens */
  readonly uploadIdleMs: number;
  /** bytes of a blob */
  readonly blobBytes: number;
}

const CAPS: UploadCaps = { uploads: 512, uploadIdleMs: 60 * 60 * 1000, blobBytes: 256 * 1024 ** 3 };
const DATABASE = 'registry.db';
const SWEEP_MS = 60_000;

/** What a registry keeps where, and by which rules. */
export interface OpenRegistryOptions {
  /** the data directory; made if it is missing, owned by this process alone */
  readonly data: string;
  /** `REPOSITORY-GLOB:TAG-GLOB` of tags that are written once */
  readonly writeOnce?: readonly string[] | undefined;
  /** globs of tags that no rule protects */
  readonly mutable?: readonly string[] | undefined;
  /** path of an htpasswd file (bcrypt) */
  readonly htpasswd?: string | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** called once the data directory is this process's own, before anything else is done in it */
  readonly onOwned?: (() => void) | undefined;
  readonly caps?: Partial<UploadCaps> | undefined;
}

/** A registry without a socket. */
export interface OpenedRegistry {
  readonly service: Service;
  /** Tells it under which host and port clients reach it; repositories are named by it. */
  reachedAt(host: string): void;
  /** A repository of it, without HTTP in between. @param path its name without the registry's, for example `team/app` */
  repository(path: string): StoredRepository;
  /** Copies all of it into a new folder, as it is at one moment, while it serves. @throws StoreError */
  copyTo(folder: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a registry's data directory; what it answers is for a server of somebody else's.
 *
 * @throws RegistryServeError `rule-malformed`, `htpasswd-malformed`; StoreError `in-use` where another process owns the data directory
 * @example const registry = await openRegistry({ data: './data' }); await serve({ service: registry.service, host: '127.0.0.1', port: 0 });
 */
export async function openRegistry(options: OpenRegistryOptions): Promise<OpenedRegistry> {
  const caps = { ...CAPS, ...options.caps };
  const onWarning = options.onWarning ?? (() => {});
  const rules = new TagRules(options.writeOnce, options.mutable);
  const access: Access =
    options.htpasswd === undefined ? openAccess : await openHtpasswd(options.htpasswd, Date.now, onWarning);
  await using opened = new AsyncDisposableStack();
  const directory = await openDataDirectory(options.data);
  opened.defer(() => directory.release());
  options.onOwned?.();
  const database = await SqliteDatabase.open(join(directory.path, DATABASE));
  opened.defer(() => database.close());
  const objects = await DirectoryObjectStore.open(directory.path);
  opened.defer(() => objects.close());
  let host = '';
  const storage = await RegistryStorage.open(database, objects, rules, () => host);
  const uploads = new Uploads(
    storage.blobs,
    { count: caps.uploads, idleMs: caps.uploadIdleMs, bytes: caps.blobBytes },
    Date.now,
  );
  opened.defer(() => uploads.close());
  const sweeping = setInterval(() => void uploads.sweep().catch(reportSweep(onWarning)), SWEEP_MS).unref();
  opened.defer(() => clearInterval(sweeping));
  const api = new RegistryApi(storage, uploads, access);
  const running = opened.move();
  return {
    service: { answer: (call) => api.answer(call), fault: faultReply },
    reachedAt: (name) => {
      host = name;
    },
    repository: (path) => storage.repository(path),
    copyTo: async (folder) => {
      await mkdir(folder, { mode: 0o700 });
      await objects.copyTo(folder, () => database.copyTo(join(folder, DATABASE)));
    },
    close: () => running.disposeAsync(),
  };
}

function reportSweep(onWarning: (message: string) => void): (cause: unknown) => void {
  return (cause) => onWarning(`sweeping abandoned uploads: ${cause instanceof Error ? cause.message : String(cause)}`);
}
