// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { decodeBase64, encodeBase64, isJsonObject, parseJson, WireError, type Environment } from '../../wire/index.ts';
import { readKept, replaceFile } from './kept-file.ts';
import type { Mirror } from './mirror-state.ts';

/** Where one is: variables, the home folder and the working folder, all handed in. */
export interface Surroundings {
  readonly env: Environment;
  /** nowhere is anything kept without it, unless `TUF_ROOT` says where */
  readonly home?: string;
  /** what relative paths are relative to */
  readonly cwd: string;
}

const MAX_DOCUMENT_BYTES = 1024 * 1024;
const VERSION = 1;
/** what is kept lies apart from what cosign keeps in the same folder */
const OURS = 'bulla';
const INITIALIZED = 'initialized.json';

/** The folder in which states of mirrors are kept: `bulla` in cosign's folder. `undefined` where nothing can be kept. */
export function trustFolder(surroundings: Surroundings): string | undefined {
  const folder = cosignFolder(surroundings);
  return folder === undefined ? undefined : join(folder, OURS);
}

/** The mirror with which `initializeTrust` was done; `undefined` if it never was. */
export async function initializedMirror(surroundings: Surroundings): Promise<Mirror | undefined> {
  const folder = trustFolder(surroundings);
  const bytes = folder === undefined ? undefined : await readKept(join(folder, INITIALIZED), MAX_DOCUMENT_BYTES);
  const { version, mirror, root } = bytes === undefined ? {} : fieldsOf(bytes);
  if (version !== VERSION || typeof mirror !== 'string' || typeof root !== 'string') return undefined;
  const anchor = octetsOf(root);
  return anchor === undefined || !URL.canParse(mirror) ? undefined : { url: new URL(mirror), anchor };
}

/** Remembers a mirror as the one to use. @throws KeylessError `cache-unwritable` */
export async function rememberMirror(folder: string, { url, anchor }: Mirror, now: Date): Promise<void> {
  const document = { version: VERSION, mirror: url.href, initializedAt: now.toISOString(), root: encodeBase64(anchor) };
  await replaceFile(join(folder, INITIALIZED), new TextEncoder().encode(`${JSON.stringify(document)}\n`));
}

/**
 * The mirror with which `cosign initialize` was done by the same user: its address, and the root that cosign has verified. It is read and never
 * written.
 */
export async function cosignMirror(surroundings: Surroundings): Promise<Mirror | undefined> {
  const folder = cosignFolder(surroundings);
  if (folder === undefined) return undefined;
  const remote = await readKept(join(folder, 'remote.json'), MAX_DOCUMENT_BYTES);
  const { mirror } = remote === undefined ? {} : fieldsOf(remote);
  if (typeof mirror !== 'string' || !URL.canParse(mirror)) return undefined;
  // As sigstore-go names the folder of a mirror.
  const name = mirror
    .replace(/^https?:\/\//, '')
    .replace(/[/:]/g, '-')
    .toLowerCase();
  const anchor = /^\.*$/.test(name) ? undefined : await readKept(join(folder, name, 'root.json'), MAX_DOCUMENT_BYTES);
  return anchor === undefined ? undefined : { url: new URL(mirror), anchor };
}

/** The SHA-256 of a first root, as `--root-checksum` has it. */
export function checksumOf(root: Uint8Array): string {
  return hash('sha256', root, 'hex');
}

// `TUF_ROOT`, or where cosign keeps it otherwise.
function cosignFolder({ env, home, cwd }: Surroundings): string | undefined {
  const named = env['TUF_ROOT'] ?? '';
  if (named !== '') return resolve(cwd, named);
  return home === undefined || home === '' ? undefined : join(home, '.sigstore', 'root');
}

function fieldsOf(bytes: Uint8Array): { readonly [name: string]: unknown } {
  try {
    const value = parseJson(bytes, { what: 'a kept document', maxBytes: MAX_DOCUMENT_BYTES, maxDepth: 8 });
    return isJsonObject(value) ? value : {};
  } catch (error) {
    if (error instanceof WireError) return {};
    throw error;
  }
}

function octetsOf(text: string): Uint8Array | undefined {
  try {
    return decodeBase64(text, 'a kept root');
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}
