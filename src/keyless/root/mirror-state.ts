// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { decodeBase64, encodeBase64, isJsonObject, parseJson, WireError, type Json } from '../../wire/index.ts';

/** The four documents of a TUF repository that a client keeps. */
export const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type Role = (typeof ROLES)[number];

/** The targets that are fetched: whom to trust, and with which services to sign. */
export const TRUSTED_ROOT_TARGET = 'trusted_root.json';
export const SIGNING_CONFIG_TARGET = 'signing_config.v0.2.json';

/** Where a repository is, and the root with which its trust begins. */
export interface Mirror {
  readonly url: URL;
  /** root.json, whatever its version: what came on another way than from the mirror */
  readonly anchor: Uint8Array;
  /** the folder of its targets, `targets` unless told */
  readonly targets?: string;
  /** the target that is the trusted root, `trusted_root.json` unless told */
  readonly target?: string;
}

/** What is known of a mirror: a whole, verified state of it. */
export interface MirrorState {
  /** when the mirror was last asked */
  readonly checkedAt: Date;
  readonly metadata: Readonly<Record<Role, Uint8Array>>;
  readonly trustedRoot: Uint8Array;
  /** none if the repository has none */
  readonly signingConfig?: Uint8Array;
}

/** What the documents say of themselves. */
export interface RoleSummary {
  readonly version: number;
  readonly expires: Date;
}

const VERSION = 1;
const MAX_BYTES = 24 * 1024 * 1024;
const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024;

/** The name under which a mirror's state is kept: another one for another first root, since what follows from that is another trust. */
export function stateName({ url, anchor, targets, target }: Mirror): string {
  const place = `${url.host}${url.pathname}`.replace(/[^A-Za-z0-9.]+/g, '-').replace(/-+$/, '');
  // what is asked for otherwise is another state
  const asked = targets === undefined && target === undefined ? '' : `${JSON.stringify([targets, target])}\n`;
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${url.href}\n${asked}`), anchor]), 'hex').slice(0, 16);
  return `${place.toLowerCase().slice(0, 80)}-${digest}.json`;
}

/** Writes a state as one document, so that it is replaced whole or not at all. */
export function encodeState({ url }: Mirror, state: MirrorState): Uint8Array {
  const { checkedAt, metadata, trustedRoot, signingConfig } = state;
  const document = {
    version: VERSION,
    mirror: url.href,
    checkedAt: checkedAt.toISOString(),
    metadata: Object.fromEntries(ROLES.map((role) => [role, encodeBase64(metadata[role])])),
    targets: {
      [TRUSTED_ROOT_TARGET]: encodeBase64(trustedRoot),
      ...(signingConfig === undefined ? {} : { [SIGNING_CONFIG_TARGET]: encodeBase64(signingConfig) }),
    },
  };
  return new TextEncoder().encode(`${JSON.stringify(document)}\n`);
}

/** Reads a state; `undefined` for what is none, or no longer whole: the mirror is asked again then. */
export function decodeState(bytes: Uint8Array, { url }: Mirror): MirrorState | undefined {
  try {
    const value = parseJson(bytes, { what: 'a kept state', maxBytes: MAX_BYTES, maxDepth: 8 });
    if (!isJsonObject(value) || value['version'] !== VERSION || value['mirror'] !== url.href) return undefined;
    const { checkedAt, metadata, targets } = value;
    const time = typeof checkedAt === 'string' ? new Date(checkedAt) : new Date(Number.NaN);
    if (!isJsonObject(metadata) || !isJsonObject(targets) || Number.isNaN(time.getTime())) return undefined;
    const documents = ROLES.map((role) => [role, octets(metadata[role])] as const);
    const trustedRoot = octets(targets[TRUSTED_ROOT_TARGET]);
    const signingConfig = octets(targets[SIGNING_CONFIG_TARGET]);
    if (trustedRoot === undefined || documents.some(([, document]) => document === undefined)) return undefined;
    const state = {
      checkedAt: time,
      metadata: Object.fromEntries(documents) as Record<Role, Uint8Array>,
      trustedRoot,
      ...(signingConfig === undefined ? {} : { signingConfig }),
    };
    return isWhole(state) ? state : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

/** Version and expiry of a document that was verified; `undefined` for what is none. */
export function summaryOf(document: Uint8Array): RoleSummary | undefined {
  const signed = signedPart(document);
  const { version, expires } = signed ?? {};
  const time = typeof expires === 'string' ? new Date(expires) : undefined;
  if (typeof version !== 'number' || time === undefined || Number.isNaN(time.getTime())) return undefined;
  return { version, expires: time };
}

/** The document that expires first. */
export function firstToExpire(state: MirrorState): { readonly role: Role; readonly expires: Date } {
  const [first] = ROLES.map((role) => ({
    role,
    expires: summaryOf(state.metadata[role])?.expires ?? new Date(0),
  })).toSorted((a, b) => a.expires.getTime() - b.expires.getTime());
  return first ?? { role: 'root', expires: new Date(0) };
}

// A file that was cut or mixed up: each target is the one that the targets document names.
function isWhole({ metadata, trustedRoot, signingConfig }: MirrorState): boolean {
  if (ROLES.some((role) => summaryOf(metadata[role]) === undefined)) return false;
  const listed = signedPart(metadata.targets)?.['targets'];
  const named = (name: string, bytes: Uint8Array | undefined): boolean => {
    if (bytes === undefined) return true;
    const target = isJsonObject(listed) ? listed[name] : undefined;
    const hashes = isJsonObject(target) ? target['hashes'] : undefined;
    const sha256 = isJsonObject(hashes) ? hashes['sha256'] : undefined;
    // Of one that a delegated role names nothing is said here.
    return target === undefined || sha256 === undefined || sha256 === hash('sha256', bytes, 'hex');
  };
  return named(TRUSTED_ROOT_TARGET, trustedRoot) && named(SIGNING_CONFIG_TARGET, signingConfig);
}

function signedPart(document: Uint8Array): { readonly [name: string]: Json } | undefined {
  try {
    const value = parseJson(document, { what: 'a document', maxBytes: MAX_DOCUMENT_BYTES });
    const signed = isJsonObject(value) ? value['signed'] : undefined;
    return isJsonObject(signed) ? signed : undefined;
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function octets(value: Json | undefined): Uint8Array | undefined {
  return typeof value === 'string' ? decodeBase64(value, 'a kept state') : undefined;
}
