// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { join } from 'node:path';
import type { Metadata, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { fileError, readWhole, type FileSystem } from '../../store/index.ts';
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import type { KeyRing } from '../key/key-ring.ts';
import { tufKey, tufKeyId, type Models, type Signed } from './metadata.ts';
import { TufError } from './tuf-error.ts';

/** What a repository has published: read, and verified as a client would. */
export interface PublishedState {
  /** version 1 first; every one there ever was, because clients follow them one by one */
  readonly roots: readonly Signed<Root>[];
  /** missing where the first publication was broken off */
  readonly current?: CurrentEditions;
  /** by the paths under which they are asked for */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What a timestamp leads to. */
export interface CurrentEditions {
  readonly timestamp: Signed<Timestamp>;
  readonly snapshot: Signed<Snapshot>;
  readonly targets: Signed<Targets>;
}

/** Where a repository is kept. */
export interface RepositoryFiles {
  readonly models: Models;
  readonly files: FileSystem;
  readonly directory: string;
}

/** Older versions that are kept for clients in the middle of a refresh. */
export const KEPT_VERSIONS = 8;
export const TARGETS_DIRECTORY = 'targets';
export const TIMESTAMP_NAME = 'timestamp.json';

const MAX_BYTES = 8 * 1024 * 1024;
const MAX_ROOTS = 4096;

/** The file of one version, as consistent snapshots name it. */
export function versioned(version: number, role: 'root' | 'snapshot' | 'targets'): string {
  return `${version}.${role}.json`;
}

/** The file of a target, as consistent snapshots name it. */
export function hashed(name: string, sha256: string): string {
  return `${sha256}.${name}`;
}

/**
 * Reads what was published and verifies it: the chain of roots, and what the timestamp leads to, which is signed for by the last root or, where
 * a rotation was broken off, by another key of the ring: the next tick finishes that. Files that no timestamp leads to were never published; they
 * are passed over.
 *
 * @throws TufError `repository-malformed`; StoreError
 */
export async function readPublished(where: RepositoryFiles, ring: Pick<KeyRing, 'of'>): Promise<PublishedState> {
  const { models } = where;
  const roots = await readRoots(where);
  const files = new Map<string, Uint8Array>(
    roots.map(({ bytes, metadata }) => [versioned(metadata.signed.version, 'root'), bytes] as const),
  );
  const latest = roots.at(-1);
  const bytes = await readFile(where, TIMESTAMP_NAME);
  if (latest === undefined) {
    if (bytes !== undefined) throw malformed(`${TIMESTAMP_NAME} is there, and no ${versioned(1, 'root')}`);
    return { roots, files };
  }
  files.set('root.json', latest.bytes);
  if (bytes === undefined) return { roots, files };
  const { Metadata, MetadataKind } = models;
  const timestamp: Signed<Timestamp> = {
    bytes,
    metadata: reading(TIMESTAMP_NAME, () => Metadata.fromJSON(MetadataKind.Timestamp, parse(bytes, TIMESTAMP_NAME))),
  };
  const current = await readEditions(where, timestamp);
  for (const role of ['timestamp', 'snapshot', 'targets'] as const)
    reading('what was published', () => verifyEdition({ models, root: latest, ring }, role, current[role].metadata));
  for (const [path, content] of await readFiles(where, current)) files.set(path, content);
  files.set(TIMESTAMP_NAME, bytes);
  return { roots, current, files };
}

/** @throws what the library likes to, where neither the root names a key that signed nor the ring has one */
function verifyEdition(
  { models, root, ring }: { models: Models; root: Signed<Root>; ring: Pick<KeyRing, 'of'> },
  role: 'timestamp' | 'snapshot' | 'targets',
  metadata: Metadata<Timestamp> | Metadata<Snapshot> | Metadata<Targets>,
): void {
  const signers = ring.of(`tuf-${role}`).filter(({ publicKey }) => metadata.signatures[tufKeyId(publicKey)]);
  const named = root.metadata.signed.roles[role]?.keyIDs ?? [];
  const others = signers.filter(({ publicKey }) => !named.includes(tufKeyId(publicKey)));
  if (others.length === 0 || others.length < signers.length) root.metadata.verifyDelegate(role, metadata);
  for (const { publicKey } of others) tufKey(models, publicKey).verifySignature(metadata);
}

async function readRoots(where: RepositoryFiles): Promise<readonly Signed<Root>[]> {
  const { Metadata, MetadataKind } = where.models;
  const roots: Signed<Root>[] = [];
  for (let version = 1; version <= MAX_ROOTS; version++) {
    const name = versioned(version, 'root');
    const bytes = await readFile(where, name);
    if (bytes === undefined) return roots;
    const metadata = reading(name, () => Metadata.fromJSON(MetadataKind.Root, parse(bytes, name)));
    if (metadata.signed.version !== version) throw malformed(`${name} has version ${metadata.signed.version}`);
    const previous = roots.at(-1)?.metadata;
    reading(name, () => {
      previous?.verifyDelegate('root', metadata);
      metadata.verifyDelegate('root', metadata);
    });
    roots.push({ metadata, bytes });
  }
  throw malformed(`there are more than ${MAX_ROOTS} roots`);
}

async function readEditions(where: RepositoryFiles, timestamp: Signed<Timestamp>): Promise<CurrentEditions> {
  const { Metadata, MetadataKind } = where.models;
  const { snapshotMeta } = timestamp.metadata.signed;
  const snapshotName = versioned(snapshotMeta.version, 'snapshot');
  const snapshotBytes = await mustRead(where, snapshotName);
  const snapshot = reading(snapshotName, () => {
    snapshotMeta.verify(Buffer.from(snapshotBytes));
    return Metadata.fromJSON(MetadataKind.Snapshot, parse(snapshotBytes, snapshotName));
  });
  const targetsMeta = snapshot.signed.meta['targets.json'];
  if (targetsMeta === undefined) throw malformed(`${snapshotName} names no targets.json`);
  const targetsName = versioned(targetsMeta.version, 'targets');
  const targetsBytes = await mustRead(where, targetsName);
  const targets = reading(targetsName, () => {
    targetsMeta.verify(Buffer.from(targetsBytes));
    return Metadata.fromJSON(MetadataKind.Targets, parse(targetsBytes, targetsName));
  });
  return {
    timestamp,
    snapshot: { metadata: snapshot, bytes: snapshotBytes },
    targets: { metadata: targets, bytes: targetsBytes },
  };
}

/** The current files and those of the versions before, which clients may still be asking for. */
async function readFiles(where: RepositoryFiles, current: CurrentEditions): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const latest = {
    snapshot: current.snapshot.metadata.signed.version,
    targets: current.targets.metadata.signed.version,
  };
  for (const role of ['snapshot', 'targets'] as const)
    for (let version = latest[role]; version > latest[role] - KEPT_VERSIONS && version > 0; version--) {
      const bytes = await readFile(where, versioned(version, role));
      if (bytes !== undefined) files.set(versioned(version, role), bytes);
    }
  for (const { path, length, hashes } of Object.values(current.targets.metadata.signed.targets)) {
    const name = `${TARGETS_DIRECTORY}/${hashed(path, hashes['sha256'] ?? '')}`;
    const bytes = await mustRead(where, name);
    if (bytes.length !== length || hash('sha256', bytes, 'hex') !== hashes['sha256'])
      throw malformed(`${name} is not what the targets say`);
    files.set(name, bytes);
  }
  for (const name of await listTargets(where)) {
    const path = `${TARGETS_DIRECTORY}/${name}`;
    const bytes = files.has(path) ? undefined : await readFile(where, path);
    // One that was torn when the power went was never published.
    if (bytes !== undefined && name.startsWith(`${hash('sha256', bytes, 'hex')}.`)) files.set(path, bytes);
  }
  return files;
}

/** Names below `targets/`, without those that are on their way. */
export async function listTargets({
  files,
  directory,
}: Pick<RepositoryFiles, 'files' | 'directory'>): Promise<readonly string[]> {
  const folder = join(directory, TARGETS_DIRECTORY);
  try {
    const names = (await files.list(folder)).map(({ name }) => name);
    return names.filter((name) => /^[0-9a-f]{64}\.[\w.-]+$/.test(name) && !name.endsWith('.new'));
  } catch (cause) {
    throw fileError(`listing ${folder}`, cause);
  }
}

async function readFile({ files, directory }: RepositoryFiles, name: string): Promise<Uint8Array | undefined> {
  return readWhole(files, join(directory, name), MAX_BYTES);
}

async function mustRead(where: RepositoryFiles, name: string): Promise<Uint8Array> {
  const bytes = await readFile(where, name);
  if (bytes === undefined) throw malformed(`${name} is gone`);
  return bytes;
}

function parse(bytes: Uint8Array, what: string): Record<string, never> {
  const value: Json = parseJson(bytes, { what, maxBytes: MAX_BYTES });
  if (!isJsonObject(value)) throw malformed(`${what} is no object`);
  return value as Record<string, never>;
}

// The library throws whatever it likes; nothing of it must pass for a broken program.
function reading<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof TufError) throw cause;
    const said = (cause instanceof Error ? cause.message : String(cause)).replace(/\s+/g, ' ');
    throw malformed(`${what} does not hold (${said})`, cause);
  }
}

function malformed(found: string, cause?: unknown): TufError {
  return new TufError(
    'repository-malformed',
    `the TUF repository cannot go on: ${found}. Bring its directory back from a backup`,
    { cause },
  );
}
