// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BaseFetcher, Updater } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import type { FileSystem } from '../../store/index.ts';
import type { Service } from '../../wire/index.ts';
import { openKeyRing, type FirstStart, type KeyRing } from '../key/key-ring.ts';
import type { Lifetimes } from './next-editions.ts';
import type { StackAddresses } from './stack-trust.ts';
import { stackTargets } from './target.ts';
import { createTufRepository, type TufRepository } from './tuf-repository.ts';

/** Where a stack is said to be; nobody listens. */
const ADDRESSES: StackAddresses = {
  certificateAuthority: 'http://127.0.0.1:5570',
  certificateLog: 'http://127.0.0.1:5570/ct',
  identityProvider: 'http://127.0.0.1:5570/oidc',
  logV1: 'http://127.0.0.1:5570',
  logV2: (origin) => `http://${origin}:5570`,
  timestampAuthority: 'http://127.0.0.1:5570/api/v1/timestamp',
  operator: 'lab.example',
};

/** A ring and its repository in one folder, as a start opens them. */
export interface TestRepository {
  readonly ring: KeyRing;
  readonly repository: TufRepository;
}

/** What tests say of a start. */
export interface TestStart {
  readonly folder: string;
  readonly now: () => Date;
  readonly first?: Partial<FirstStart>;
  readonly lifetimes?: Partial<Lifetimes>;
  readonly files?: FileSystem;
  readonly password?: Uint8Array;
}

export async function start({ folder, now, first, lifetimes, files, password }: TestStart): Promise<TestRepository> {
  const ring = await openKeyRing({
    directory: join(folder, 'keys'),
    now,
    first: { organization: 'lab.example', logOrigin: '127.0.0.1', ...first },
    password,
    files,
  });
  const repository = await createTufRepository({
    ring,
    directory: join(folder, 'tuf'),
    targets: () => stackTargets(ring, ADDRESSES),
    now,
    lifetimes,
    files,
  });
  return { ring, repository };
}

/** A fresh folder, removed after the test. */
export async function freshFolder(context: { after(end: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-tuf-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Asks a service without a socket. */
export async function get(
  service: Service,
  path: string,
  method = 'GET',
): Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }> {
  const nothing = (async function* () {})();
  const { status, headers, body } = await service.answer({ method, target: path, headers: {}, body: nothing });
  assert.ok(body === undefined || typeof body === 'string' || body instanceof Uint8Array);
  return { status, headers, body: Buffer.from(body ?? '') };
}

/** A client (tuf-js) that asks the service itself, without a socket. */
export interface TestClient {
  /** Follows roots and reads all metadata, as at each start of a client. */
  refresh(): Promise<void>;
  /** Reads a target, verified. */
  read(name: string): Promise<Buffer>;
  /** The paths asked for since the last call. */
  asked(): readonly string[];
}

/**
 * A client that begins with this root.
 *
 * @param between called before each request is answered
 */
export async function client(
  folder: string,
  root: Uint8Array,
  service: () => Service,
  between: (path: string) => Promise<void> = async () => {},
): Promise<TestClient> {
  const directory = await mkdtemp(join(folder, 'client-'));
  await mkdir(join(directory, 'targets'));
  await writeFile(join(directory, 'root.json'), root);
  const paths: string[] = [];
  class Fetcher extends BaseFetcher {
    override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
      const { pathname } = new URL(url);
      await between(pathname);
      paths.push(pathname);
      const { status, body } = await get(service(), pathname);
      if (status !== 200) throw new DownloadHTTPError(`${status}`, status);
      return new Blob([new Uint8Array(body)]).stream();
    }
  }
  let updater: Updater | undefined;
  return {
    async refresh() {
      updater = new Updater({
        metadataDir: directory,
        metadataBaseUrl: 'http://127.0.0.1/',
        targetDir: join(directory, 'targets'),
        targetBaseUrl: 'http://127.0.0.1/targets/',
        fetcher: new Fetcher(),
        config: { fetchRetries: 0 },
      });
      await updater.refresh();
    },
    async read(name) {
      assert.ok(updater !== undefined);
      const info = await updater.getTargetInfo(name);
      assert.ok(info !== undefined, `${name} is no target`);
      return readFile(await updater.downloadTarget(info));
    },
    asked: () => paths.splice(0),
  };
}
