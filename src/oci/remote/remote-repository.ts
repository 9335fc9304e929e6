// SPDX-License-Identifier: Apache-2.0
import type { Descriptor } from '../descriptor.ts';
import { parseDigest, type Digest } from '../digest.ts';
import { ReferenceFault } from '../error.ts';
import { quoted } from '../quoted.ts';
import { isRepositoryPath, type Reference } from '../reference.ts';
import { readFallbackReferrers } from '../referrers-index.ts';
import type {
  BlobSource,
  BlobStream,
  Progress,
  PutManifestOptions,
  ReferrersListing,
  Repository,
  StoredManifest,
  WrittenManifest,
} from '../repository.ts';
import type { RemoteOptions } from './options.ts';
import { hasBlob, openBlob, readBlob } from './read-blob.ts';
import { readManifest, resolveManifest } from './read-manifest.ts';
import { RegistryConnection } from './registry-connection.ts';
import { Session } from './session.ts';

/**
 * One registry: what is learnt about it (scheme, tokens, connections) serves all its repositories.
 *
 * @example
 * const registry = new RemoteRegistry('registry.example.com', { access: 'write' });
 * await registry.repository('team/app').putBlob(source);
 */
export class RemoteRegistry {
  readonly #registry: string;
  readonly #options: RemoteOptions;
  readonly #connection: RegistryConnection;

  /** @param registry `host[:port]` as references name it */
  constructor(registry: string, options: RemoteOptions = {}) {
    if (!URL.canParse(`https://${registry}/`) || /[/?#@\\\s]/.test(registry)) {
      throw new ReferenceFault(
        'reference-malformed',
        `${quoted(registry)} is not a registry (expected HOST or HOST:PORT)`,
      );
    }
    this.#registry = registry;
    this.#options = { ...options };
    this.#connection = new RegistryConnection(registry, this.#options);
  }

  /** @param path as it stands after the host (`team/app`) */
  repository(path: string): RemoteRepository {
    if (!isRepositoryPath(path)) throw new ReferenceFault('reference-malformed', `${quoted(path)} is not a repository`);
    return new RemoteRepository(
      new Session(this.#connection, this.#registry, path, this.#options.upload === 'chunked'),
    );
  }

  /** Ends idle connections; they do not keep the process alive. */
  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/**
 * A repository of a remote registry. What is asked by digest is asked once; what writing needs loads when something is written.
 */
export class RemoteRepository implements Repository {
  readonly #session: Session;
  readonly name: string;

  constructor(session: Session) {
    this.#session = session;
    this.name = session.name;
  }

  resolve(target: string): Promise<Descriptor | undefined> {
    return resolveManifest(this.#session, target);
  }

  manifest(target: string): Promise<StoredManifest | undefined> {
    return readManifest(this.#session, target);
  }

  async blob(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    return readBlob(this.#session, parseDigest(digest), maxBytes);
  }

  async openBlob(digest: Digest): Promise<BlobStream | undefined> {
    return openBlob(this.#session, parseDigest(digest));
  }

  async hasBlob(digest: Digest): Promise<boolean> {
    return hasBlob(this.#session, parseDigest(digest));
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    const { listReferrers } = await import('./list-referrers.ts');
    return (await listReferrers(this.#session, parseDigest(subject))) ?? readFallbackReferrers(this, subject);
  }

  async *tags(): AsyncGenerator<string> {
    const { listTags } = await import('./list-tags.ts');
    yield* listTags(this.#session);
  }

  async putBlob(source: BlobSource, progress?: Progress): Promise<void> {
    const { uploadBlob } = await import('./upload-blob.ts');
    await uploadBlob(this.#session, source, progress);
  }

  async mountBlob(digest: Digest, from: string): Promise<boolean> {
    const { mountBlob } = await import('./mount-blob.ts');
    return mountBlob(this.#session, parseDigest(digest), from);
  }

  async putManifest(bytes: Uint8Array, mediaType: string, options: PutManifestOptions = {}): Promise<WrittenManifest> {
    const { writeManifest } = await import('./write-manifest.ts');
    return writeManifest(this.#session, bytes, mediaType, options);
  }

  async deleteManifest(target: string): Promise<boolean> {
    const { deleteManifest } = await import('./delete-manifest.ts');
    return deleteManifest(this.#session, target);
  }
}

/**
 * The repository that a reference names. No request is made yet.
 *
 * @throws ReferenceFault `reference-malformed`
 * @example
 * const repository = openRemoteRepository(parseReference('registry.example.com/team/app:1'));
 * const descriptor = await repository.resolve('1');
 */
export function openRemoteRepository(
  reference: Pick<Reference, 'registry' | 'repository'>,
  options: RemoteOptions = {},
): RemoteRepository {
  return new RemoteRegistry(reference.registry, options).repository(reference.repository);
}
