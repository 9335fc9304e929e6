// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import { Key, Metadata, MetaFile, Root, Signature, Snapshot, TargetFile, Targets, Timestamp } from '@tufjs/models';
import type { TransportRequest } from '../../wire/index.ts';
import type { TokenAnswer } from '../token/token-transport.fixture.ts';

// A TUF repository in memory, each document of which can be made to be what it should not.

export const MIRROR = 'https://tuf.example/repository';

interface RepositoryKey {
  readonly id: string;
  readonly key: Key;
  readonly secret: KeyObject;
}

type Signed = Root | Timestamp | Snapshot | Targets;

/** What is done otherwise in one publication. */
export interface Publication {
  /** by name; a change of what is there */
  readonly targets?: Readonly<Record<string, string>>;
  /** who signs a document, if not its role's key */
  readonly signers?: Readonly<Partial<Record<'root' | 'timestamp' | 'snapshot' | 'targets', RepositoryKey>>>;
  readonly expires?: Readonly<Partial<Record<'root' | 'timestamp' | 'snapshot' | 'targets', Date>>>;
  /** new keys for all roles but root, in a root of the next version */
  readonly rotate?: boolean;
  /** all roles but root begin again at their first version, as they do after somebody has counted them up */
  readonly anew?: boolean;
  /** to whom the targets of these paths are left as well, in this order, by the name of their role; each has one version and a key of its own */
  readonly delegations?: readonly Delegation[];
  /** how many signatures a role wants, in a new root */
  readonly thresholds?: Readonly<Partial<Record<'root' | 'timestamp' | 'snapshot' | 'targets', number>>>;
}

export interface Delegation {
  readonly role: string;
  readonly targets: Readonly<Record<string, string>>;
  /** nobody after this one is asked for these paths */
  readonly terminating?: boolean;
  /** who signs it, if not its own key */
  readonly signer?: RepositoryKey;
}

export class TestRepository {
  /** by path below the mirror */
  readonly files: Map<string, Uint8Array> = new Map<string, Uint8Array>();
  #rootKey = newKey();
  #onlineKey = newKey();
  #versions = { root: 0, timestamp: 0, snapshot: 0, targets: 0 };
  #targets = new Map<string, string>();

  constructor(targets: Readonly<Record<string, string>>) {
    this.publish({ targets, rotate: true });
  }

  /** root.json of a version, as one gets it on another way than from the mirror. */
  root(version = 1): Uint8Array {
    return this.files.get(`${version}.root.json`) ?? new Uint8Array();
  }

  publish(publication: Publication = {}): void {
    const { targets = {}, rotate = false, anew = false } = publication;
    if (anew) this.#versions = { ...this.#versions, timestamp: 0, snapshot: 0, targets: 0 };
    for (const [name, text] of Object.entries(targets)) this.#targets.set(name, text);
    if (rotate) this.#writeRoot(publication);
    for (const role of ['targets', 'snapshot', 'timestamp'] as const) this.#versions[role]++;
    const delegated = (publication.delegations ?? []).map((delegation) => this.#delegate(delegation));
    const delegations = {
      keys: Object.fromEntries(delegated.map(({ key: { id, key } }) => [id, key.toJSON()])),
      roles: delegated.map(({ role }) => role),
    };
    const listed = this.#write(
      new Targets({
        ...this.#about('targets', publication),
        targets: this.#list(this.#targets),
        ...(delegated.length === 0 ? {} : { unrecognizedFields: { delegations } }),
      }),
      publication,
    );
    const snapshot = this.#write(
      new Snapshot({
        ...this.#about('snapshot', publication),
        meta: {
          'targets.json': metaOf(this.#versions.targets, listed),
          ...Object.fromEntries(delegated.map(({ role, bytes }) => [`${role.name}.json`, metaOf(1, bytes)])),
        },
      }),
      publication,
    );
    this.#write(
      new Timestamp({
        ...this.#about('timestamp', publication),
        snapshotMeta: metaOf(this.#versions.snapshot, snapshot),
      }),
      publication,
    );
  }

  #list(targets: Iterable<readonly [path: string, text: string]>): Record<string, TargetFile> {
    const files = [...targets].map(([path, text]) => {
      const sha256 = hash('sha256', text);
      const folder = path.includes('/') ? `${path.slice(0, path.lastIndexOf('/'))}/` : '';
      this.files.set(`targets/${folder}${sha256}.${path.slice(folder.length)}`, Buffer.from(text));
      return [path, new TargetFile({ path, length: Buffer.byteLength(text), hashes: { sha256 } })] as const;
    });
    return Object.fromEntries(files);
  }

  #delegate({ role: name, targets, terminating = false, signer }: Delegation) {
    const key = newKey();
    const about = { ...this.#about('targets', {}), version: 1 };
    const bytes = encode(new Targets({ ...about, targets: this.#list(Object.entries(targets)) }), [signer ?? key]);
    this.files.set(`1.${encodeURIComponent(name)}.json`, bytes);
    return { key, bytes, role: { name, keyids: [key.id], threshold: 1, terminating, paths: Object.keys(targets) } };
  }

  /** What the mirror answers. */
  answer({ url }: TransportRequest): TokenAnswer {
    const { pathname } = new URL(MIRROR);
    const bytes = this.files.get(url.pathname.slice(pathname.length + 1));
    return bytes === undefined ? { status: 404, body: 'not found' } : { body: bytes };
  }

  #about(role: 'timestamp' | 'snapshot' | 'targets' | 'root', { expires = {} }: Publication) {
    const inAYear = new Date(Date.now() + 365 * 24 * 60 * 60 * 1000);
    const expiry = (expires[role] ?? inAYear).toISOString().replace(/\.\d+Z$/, 'Z');
    return { version: this.#versions[role], specVersion: '1.0.31', expires: expiry } as const;
  }

  #writeRoot(publication: Publication): void {
    this.#versions.root++;
    const previous = this.#rootKey;
    if (this.#versions.root > 1) [this.#rootKey, this.#onlineKey] = [newKey(), newKey()];
    const root = new Root({ ...this.#about('root', publication), consistentSnapshot: true });
    root.addKey(this.#rootKey.key, 'root');
    for (const role of ['timestamp', 'snapshot', 'targets']) root.addKey(this.#onlineKey.key, role);
    for (const [role, threshold] of Object.entries(publication.thresholds ?? {}))
      Object.assign(root.roles[role] ?? {}, { threshold });
    const signer = publication.signers?.root;
    const bytes = encode(root, signer === undefined ? [previous, this.#rootKey] : [signer]);
    this.files.set(`${this.#versions.root}.root.json`, bytes);
  }

  #write(signed: Exclude<Signed, Root>, { signers = {} }: Publication): Uint8Array {
    const role = signed.type as 'timestamp' | 'snapshot' | 'targets';
    const bytes = encode(signed, [signers[role] ?? this.#onlineKey]);
    this.files.set(role === 'timestamp' ? 'timestamp.json' : `${signed.version}.${role}.json`, bytes);
    return bytes;
  }
}

export function newKey(): RepositoryKey {
  const { publicKey, privateKey: secret } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyVal = { public: publicKey.export({ type: 'spki', format: 'pem' }) };
  const about = { keyType: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyVal };
  const id = hash('sha256', JSON.stringify(about));
  return { id, key: new Key({ ...about, keyID: id }), secret };
}

function encode(signed: Signed, keys: readonly RepositoryKey[]): Uint8Array {
  const metadata = new Metadata(signed as Root);
  for (const { id, secret } of new Set(keys))
    metadata.sign((data) => new Signature({ keyID: id, sig: sign('sha256', data, secret).toString('hex') }), true);
  return Buffer.from(JSON.stringify(metadata.toJSON()));
}

function metaOf(version: number, bytes: Uint8Array): MetaFile {
  return new MetaFile({ version, length: bytes.byteLength, hashes: { sha256: hash('sha256', bytes) } });
}
