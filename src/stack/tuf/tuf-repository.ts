// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from 'node:path';
import type { Metadata, Targets } from '@tufjs/models';
import { disk, fileError, writeDurably, type FileSystem } from '../../store/index.ts';
import type { Service } from '../../wire/index.ts';
import { OFFLINE_DIRECTORY } from '../key/key-files.ts';
import type { KeyRing } from '../key/key-ring.ts';
import { expiryOf } from './metadata.ts';
import { DEFAULT_LIFETIMES, nextEditions, type Lifetimes, type NextEditions } from './next-editions.ts';
import {
  hashed,
  KEPT_VERSIONS,
  listTargets,
  readPublished,
  TARGETS_DIRECTORY,
  TIMESTAMP_NAME,
  versioned,
  type PublishedState,
  type RepositoryFiles,
} from './published-state.ts';
import type { TufTarget } from './target.ts';
import { TufError } from './tuf-error.ts';
import { tufService } from './tuf-service.ts';
import type { TufWarning } from './tuf-warning.ts';

/** What a TUF repository is made of. */
export interface TufRepositoryOptions {
  readonly ring: KeyRing;
  /** made if it is missing; the directory above it must exist */
  readonly directory: string;
  /** what is to be published now; asked at every tick */
  readonly targets: () => readonly TufTarget[];
  readonly now: () => Date;
  /** refuse to begin where nothing was published: clients would take versions that begin again for an attack; no unless told */
  readonly mustExist?: boolean;
  /** of each file; the rest as `DEFAULT_LIFETIMES` */
  readonly lifetimes?: Partial<Lifetimes> | undefined;
  /** the machine's disk unless told */
  readonly files?: FileSystem | undefined;
}

/** What came of looking after a repository. */
export interface TufTick {
  /** the files that are new, for example `timestamp.json` and `2.root.json` */
  readonly published: readonly string[];
  readonly warnings: readonly TufWarning[];
  /** when the first of its files expires */
  readonly expires: Date;
}

/** How a repository is looked after. */
export interface TickOptions {
  readonly offlineKeys?: string | undefined;
  readonly afterRestore?: boolean;
}

/** More versions than a repository publishes in a year, with a rotation every day. */
const LEAP = 1000;

/** A TUF repository that signs itself anew. */
export interface TufRepository {
  /** `/root.json`, `/N.root.json`, `/timestamp.json`, `/N.snapshot.json`, `/N.targets.json`, `/targets/SHA256.NAME` */
  readonly service: Service;
  /**
   * Publishes what has changed, and signs anew what has lived half of its life. To be called at the start, before anything is served, and
   * then at least daily; calls wait for each other. Where nothing is due it does nothing.
   *
   * @param options.offlineKeys a directory to which the operator has brought the keys that are kept offline: with it, what they sign is
   * signed anew as well
   * @param options.afterRestore signs everything but the root anew, under versions that no client can have seen: what was restored from a
   * backup is older than what they have, and they would take it for an attack
   * @throws KeyRingError, StoreError: what clients see is then what it was
   */
  tick(options?: TickOptions): Promise<TufTick>;
  /** The newest root, for `cosign initialize --root`. @throws TufError `unpublished` */
  root(): Uint8Array;
  /** A published target, by its name. @throws TufError `unpublished` */
  target(name: string): Uint8Array;
}

/**
 * Opens a TUF repository with consistent snapshots. Nothing is signed before the first tick.
 *
 * @throws TufError `repository-malformed`; StoreError
 * @example
 * const repository = await createTufRepository({ ring, directory: join(data, 'tuf'), targets: () => stackTargets(ring, addresses), now });
 * await repository.tick();
 * @see https://theupdateframework.github.io/specification/v1.0.31/
 */
export async function createTufRepository(options: TufRepositoryOptions): Promise<TufRepository> {
  const { directory, files = disk, mustExist = false } = options;
  try {
    await files.makeDirectory(directory);
    await files.makeDirectory(join(directory, TARGETS_DIRECTORY));
    await files.flushDirectory(directory);
    await files.flushDirectory(dirname(directory));
  } catch (cause) {
    throw fileError(`creating ${directory}`, cause);
  }
  const where = { models: await import('@tufjs/models'), files, directory };
  const published = await readPublished(where, options.ring);
  if (mustExist && published.current === undefined) throw lostRepository(join(directory, TIMESTAMP_NAME));
  return new SelfSigningRepository(options, where, published);
}

const TARGET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

class SelfSigningRepository implements TufRepository {
  readonly service: Service;
  readonly #options: TufRepositoryOptions;
  readonly #where: RepositoryFiles;
  readonly #lifetimes: Lifetimes;
  #published: PublishedState;
  #ticking: Promise<unknown> = Promise.resolve();

  constructor(options: TufRepositoryOptions, where: RepositoryFiles, published: PublishedState) {
    this.#options = options;
    this.#where = where;
    this.#lifetimes = { ...DEFAULT_LIFETIMES, ...options.lifetimes };
    this.#published = published;
    this.service = tufService((path) => this.#published.files.get(path));
  }

  async tick(options: TickOptions = {}): Promise<TufTick> {
    const mine = this.#ticking.catch(() => undefined).then(() => this.#tick(options));
    this.#ticking = mine;
    return await mine;
  }

  root(): Uint8Array {
    const root = this.#published.roots.at(-1);
    if (root === undefined) throw new TufError('unpublished', 'the TUF repository has published no root yet');
    return root.bytes;
  }

  target(name: string): Uint8Array {
    const file = new Map(Object.entries(this.#published.current?.targets.metadata.signed.targets ?? {})).get(name);
    const bytes = this.#published.files.get(`${TARGETS_DIRECTORY}/${hashed(name, file?.hashes['sha256'] ?? '')}`);
    if (bytes === undefined) throw new TufError('unpublished', `the TUF repository has published no ${name}`);
    return bytes;
  }

  async #tick({ offlineKeys, afterRestore = false }: TickOptions): Promise<TufTick> {
    const { ring, now } = this.#options;
    const targets = this.#options.targets();
    for (const { name } of targets)
      if (!TARGET_NAME.test(name) || name.endsWith('.new'))
        throw new TufError('target-malformed', `a target cannot be called '${name.slice(0, 128)}'`);
    const published = this.#published;
    const next = await nextEditions({
      models: this.#where.models,
      ring,
      lifetimes: this.#lifetimes,
      now: now(),
      published,
      targets,
      // At the first start they are where they were made, and needed once.
      offlineKeys: offlineKeys ?? (published.current === undefined ? true : undefined),
      leap: afterRestore ? LEAP : 0,
    });
    const names = await this.#publish(next, targets);
    const signed = [next.root, next.targets, next.snapshot, next.timestamp];
    return {
      published: names,
      warnings: [...next.warnings, ...(await this.#offlineKeysHere()), ...agingCertificates(ring, now())],
      expires: new Date(Math.min(...signed.map((one) => expiryOf(one).getTime()))),
    };
  }

  // Clients read root after root, then the timestamp, then what it leads to. Files with a number or a hash never change once a timestamp leads
  // to them, so that a client in the middle of that finds what it was promised:
  //
  // 1. the targets, each under its hash          a crash here: nothing leads to them
  // 2. N.snapshot.json and N.targets.json        a crash here: the next tick writes the same numbers anew
  // 3. timestamp.json, replaced and flushed      the commit point; what it leads to is signed for the root before as well
  // 4. N.root.json                               a crash before: the next tick writes the same number anew
  // 5. what is served is swapped, in one go
  // 6. what is older than any client is removed
  //
  // The first root goes before the first timestamp: a timestamp without one would be a repository that has lost its roots.
  async #publish(next: NextEditions, content: readonly TufTarget[]): Promise<readonly string[]> {
    const { files, directory } = this.#where;
    const { roots, current } = this.#published;
    const { root, targets, snapshot, timestamp } = next;
    const published = new Map<string, Uint8Array>();
    const write = async (folder: string, named: ReadonlyMap<string, Uint8Array>): Promise<void> => {
      if (named.size > 0) await writeDurably(files, join(directory, folder), named);
      for (const [name, bytes] of named) published.set(folder === '' ? name : `${folder}/${name}`, bytes);
    };
    const unseen = [...byHash(targets.metadata, content)].filter(
      ([name]) => !this.#published.files.has(`${TARGETS_DIRECTORY}/${name}`),
    );
    await write(TARGETS_DIRECTORY, targets === current?.targets ? new Map() : new Map(unseen));
    const numbered = new Map<string, Uint8Array>();
    if (targets !== current?.targets)
      numbered.set(versioned(targets.metadata.signed.version, 'targets'), targets.bytes);
    if (snapshot !== current?.snapshot)
      numbered.set(versioned(snapshot.metadata.signed.version, 'snapshot'), snapshot.bytes);
    await write('', numbered);
    const newRoots = root === roots.at(-1) ? [] : [root];
    const steps = [
      new Map(timestamp === current?.timestamp ? [] : [[TIMESTAMP_NAME, timestamp.bytes]]),
      new Map(newRoots.map(({ metadata, bytes }) => [versioned(metadata.signed.version, 'root'), bytes])),
    ];
    for (const step of roots.length === 0 ? steps.toReversed() : steps) await write('', step);
    if (published.size === 0) return [];
    this.#published = {
      roots: [...roots, ...newRoots],
      current: { targets, snapshot, timestamp },
      files: new Map([...this.#published.files, ...published, ['root.json', root.bytes]]),
    };
    if (snapshot !== current?.snapshot) await this.#sweep();
    return [...published.keys()];
  }

  /** Forgets versions that no client can be in the middle of. What cannot be removed now is removed another time. */
  async #sweep(): Promise<void> {
    const { files, directory } = this.#where;
    const { current } = this.#published;
    if (current === undefined) return;
    const kept = new Map(this.#published.files);
    const forget = async (path: string): Promise<void> => {
      kept.delete(path);
      await files.remove(join(directory, path)).catch(() => undefined);
    };
    const listed = await files.list(directory).catch(() => []);
    for (const { name } of listed) {
      const [, version, role] = /^(\d+)\.(snapshot|targets)\.json$/.exec(name) ?? [];
      if (role !== 'snapshot' && role !== 'targets') continue;
      if (Number(version) <= current[role].metadata.signed.version - KEPT_VERSIONS) await forget(name);
    }
    const wanted = namedTargets(kept);
    for (const name of await listTargets(this.#where).catch(() => []))
      if (!wanted.has(name)) await forget(`${TARGETS_DIRECTORY}/${name}`);
    this.#published = { ...this.#published, files: kept };
  }

  async #offlineKeysHere(): Promise<readonly TufWarning[]> {
    const { ring } = this.#options;
    const apart = ring.keys.filter(({ place }) => place === 'offline');
    const here = await Promise.all(apart.map((key) => ring.isAtHand(key)));
    if (!here.includes(true)) return [];
    const folder = join(ring.directory, OFFLINE_DIRECTORY);
    const message = `${here.filter(Boolean).length} keys that are to be kept offline lie in ${folder}: carry them away`;
    return [{ code: 'offline-keys-present', message }];
  }
}

/** Certificates are not made anew without being asked: services must change their keys with them. */
function agingCertificates(ring: KeyRing, now: Date): readonly TufWarning[] {
  return (['ca', 'tsa'] as const).flatMap((role): readonly TufWarning[] => {
    const [certificate] = ring.active(role).chain ?? [];
    if (certificate === undefined) return [];
    const { notBefore, notAfter } = certificate;
    if (now.getTime() * 2 < notBefore.getTime() + notAfter.getTime()) return [];
    const message = `half of the life of the ${role} certificate is over, and it ends ${notAfter.toISOString()}: rotate ${role}`;
    return [{ code: 'certificate-half-life', message, expires: notAfter }];
  });
}

function lostRepository(timestamp: string): TufError {
  return new TufError(
    'repository-malformed',
    `the TUF repository cannot go on: ${timestamp} is gone, and clients, who would take versions that begin again for an attack, have seen it. Bring its directory back from a backup (bulla restore)`,
  );
}

function byHash(targets: Metadata<Targets>, content: readonly TufTarget[]): ReadonlyMap<string, Uint8Array> {
  return new Map(
    content.map(({ name, bytes }) => [hashed(name, targets.signed.targets[name]?.hashes['sha256'] ?? ''), bytes]),
  );
}

/** The files of all targets that any kept version lists. */
function namedTargets(files: ReadonlyMap<string, Uint8Array>): ReadonlySet<string> {
  const named = new Set<string>();
  for (const [path, bytes] of files) {
    if (!path.endsWith('.targets.json')) continue;
    const { signed } = JSON.parse(Buffer.from(bytes).toString()) as {
      readonly signed: { readonly targets: Readonly<Record<string, { readonly hashes: { readonly sha256: string } }>> };
    };
    for (const [name, { hashes }] of Object.entries(signed.targets)) named.add(hashed(name, hashes.sha256));
  }
  return named;
}
