// SPDX-License-Identifier: Apache-2.0
import { hash, sign } from 'node:crypto';
import type * as tufModels from '@tufjs/models';
import type { Key, Metadata, Root, Snapshot, Targets, Timestamp } from '@tufjs/models';
import { encodePublicKey, type PrivateKey, type PublicKey } from '../../trust/index.ts';
import type { TufTarget } from './target.ts';

/** The library of TUF's metadata, loaded when a repository is opened. */
export type Models = typeof tufModels;

/** The four files that every TUF repository has. */
export const TUF_ROLES = ['root', 'targets', 'snapshot', 'timestamp'] as const;
export type TufRole = (typeof TUF_ROLES)[number];

/** What one version of a file says of itself. */
export interface Edition {
  readonly version: number;
  /** to the second */
  readonly expires: Date;
}

/** A metadata file with its octets: what is signed is one thing, what is hashed another. */
export interface Signed<T extends Root | Targets | Snapshot | Timestamp> {
  readonly metadata: Metadata<T>;
  readonly bytes: Uint8Array;
}

const SPEC_VERSION = '1.0.31';

/**
 * The id of a key: SHA-256 over the canonical JSON of the key. That JSON escapes quotes and backslashes alone, which PEM has none of, so
 * that the line feeds stand as they are.
 *
 * @see https://theupdateframework.github.io/specification/v1.0.31/#file-formats-keys
 */
export function tufKeyId(publicKey: PublicKey): string {
  const pem = encodePublicKey(publicKey);
  return hash('sha256', `{"keytype":"ecdsa","keyval":{"public":"${pem}"},"scheme":"ecdsa-sha2-nistp256"}`, 'hex');
}

/** A root that names these keys, one a role. */
export function draftRootMetadata(
  { Metadata, Root, Key }: Models,
  edition: Edition,
  keys: Readonly<Record<TufRole, PublicKey>>,
): Metadata<Root> {
  const root = new Root({ ...common(edition), consistentSnapshot: true });
  for (const role of TUF_ROLES) root.addKey(tufKey({ Key }, keys[role]), role);
  return new Metadata(root);
}

/** The targets, by name. */
export function draftTargets(
  { Metadata, Targets, TargetFile }: Models,
  edition: Edition,
  targets: readonly TufTarget[],
): Metadata<Targets> {
  const signed = new Targets({ ...common(edition), targets: {} });
  for (const { name, bytes, sigstore } of targets)
    signed.addTarget(
      new TargetFile({
        path: name,
        length: bytes.length,
        hashes: { sha256: hash('sha256', bytes, 'hex') },
        ...(sigstore === undefined ? {} : { unrecognizedFields: { custom: { sigstore: { ...sigstore } } } }),
      }),
    );
  return new Metadata(signed);
}

export function draftSnapshot(
  { Metadata, Snapshot, MetaFile }: Models,
  edition: Edition,
  targets: Signed<Targets>,
): Metadata<Snapshot> {
  const { version } = targets.metadata.signed;
  const meta = { 'targets.json': new MetaFile({ version, ...measured(targets.bytes) }) };
  return new Metadata(new Snapshot({ ...common(edition), meta }));
}

export function draftTimestamp(
  { Metadata, MetaFile, Timestamp }: Models,
  edition: Edition,
  snapshot: Signed<Snapshot>,
): Metadata<Timestamp> {
  const { version } = snapshot.metadata.signed;
  const snapshotMeta = new MetaFile({ version, ...measured(snapshot.bytes) });
  return new Metadata(new Timestamp({ ...common(edition), snapshotMeta }));
}

/** Signs a draft, and fixes its octets. */
export function seal<T extends Root | Targets | Snapshot | Timestamp>(
  { Signature }: Models,
  metadata: Metadata<T>,
  keys: readonly PrivateKey[],
): Signed<T> {
  for (const { publicKey, object } of keys)
    metadata.sign(
      (message) => new Signature({ keyID: tufKeyId(publicKey), sig: sign('sha256', message, object).toString('hex') }),
    );
  return { metadata, bytes: Buffer.from(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`) };
}

/** When it expires. */
export function expiryOf({ metadata }: Signed<Root | Targets | Snapshot | Timestamp>): Date {
  return new Date(metadata.signed.expires);
}

function common({ version, expires }: Edition): { version: number; specVersion: string; expires: string } {
  return { version, specVersion: SPEC_VERSION, expires: expires.toISOString().replace(/\.\d{3}Z$/, 'Z') };
}

function measured(bytes: Uint8Array): { readonly length: number; readonly hashes: Record<string, string> } {
  return { length: bytes.length, hashes: { sha256: hash('sha256', bytes, 'hex') } };
}

/** A key as TUF's library verifies by it. */
export function tufKey({ Key }: Pick<Models, 'Key'>, publicKey: PublicKey): Key {
  return new Key({
    keyID: tufKeyId(publicKey),
    keyType: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp256',
    keyVal: { public: encodePublicKey(publicKey) },
  });
}
