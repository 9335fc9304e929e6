// SPDX-License-Identifier: Apache-2.0
import { WireError, type CodedError, type HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import {
  decodeState,
  encodeState,
  firstToExpire,
  stateName,
  summaryOf,
  type Mirror,
  type MirrorState,
} from './mirror-state.ts';
import { readKept, replaceFile } from './kept-file.ts';

/** How a mirror is loaded. */
export interface LoadMirrorOptions {
  readonly http: HttpClient;
  readonly now: Date;
  /** where states are kept; nowhere if absent */
  readonly folder?: string;
  /** asks nobody */
  readonly offline?: boolean;
  /** milliseconds for which a state is taken without asking the mirror; a day unless told */
  readonly lifetimeMs?: number;
}

/** The state of a mirror, and how it came here. */
export interface LoadedMirror {
  readonly state: MirrorState;
  /** the mirror was not asked this time */
  readonly kept: boolean;
  /** why the mirror could not be asked, where an older state is taken that has not expired */
  readonly failure?: CodedError;
  /** why the new state could not be kept */
  readonly unkept?: CodedError;
}

/** A key that was withdrawn is believed for so much longer, at most: what cosign saves by nothing, asking in every run. */
const LIFETIME_MS = 24 * 60 * 60 * 1000;
const MAX_BYTES = 24 * 1024 * 1024;

/**
 * What a mirror has, from what is kept where that is fresh: asked within the lifetime, nothing of it expired, and the clock not gone back.
 * Otherwise the mirror is asked. Where it cannot be reached, what is kept serves until it expires, and the answer says so; where it answers
 * what is not to be trusted, nothing serves.
 *
 * The state is one file that is replaced at once. Processes do not wait for each other: each works on its own, and the newer state stays.
 *
 * @throws KeylessError `trust-expired`, `trust-rejected`, `trust-unavailable`; WireError as the client does
 */
export async function loadMirror(mirror: Mirror, options: LoadMirrorOptions): Promise<LoadedMirror> {
  const { now, offline = false, lifetimeMs = LIFETIME_MS } = options;
  const path = pathOf(mirror, options);
  const known = path === undefined ? undefined : await readState(path, mirror);
  if (known !== undefined && !isExpired(known, now)) {
    const age = now.getTime() - known.checkedAt.getTime();
    if (offline || (age >= 0 && age < lifetimeMs)) return { state: known, kept: true };
  }
  if (offline) throw known === undefined ? neverAsked(mirror) : expired(mirror, known);
  try {
    return await updateMirror(mirror, known, options);
  } catch (error) {
    if (known !== undefined && !isExpired(known, now) && isTransient(error))
      return { state: known, kept: true, failure: error };
    throw error;
  }
}

/** Asks the mirror, whatever is kept of it. @throws as `loadMirror` */
export async function updateMirror(
  mirror: Mirror,
  known: MirrorState | undefined,
  options: LoadMirrorOptions,
): Promise<LoadedMirror> {
  const { refreshMirror } = await import('./refresh-mirror.ts');
  const state = await refreshMirror(mirror, known, options);
  if (isExpired(state, options.now)) throw expired(mirror, state);
  const path = pathOf(mirror, options);
  if (path === undefined) return { state, kept: false };
  try {
    // Somebody may have been faster, with something newer.
    const meanwhile = await readState(path, mirror);
    if (meanwhile === undefined || !isNewer(meanwhile, state)) await replaceFile(path, encodeState(mirror, state));
    return { state, kept: false };
  } catch (error) {
    // What was verified is good, whether it is kept or not.
    if (error instanceof KeylessError) return { state, kept: false, unkept: error };
    throw error;
  }
}

/** What is kept of a mirror. */
export async function readKeptMirror(mirror: Mirror, folder: string | undefined): Promise<MirrorState | undefined> {
  return folder === undefined ? undefined : readState(`${folder}/${stateName(mirror)}`, mirror);
}

function pathOf(mirror: Mirror, { folder }: LoadMirrorOptions): string | undefined {
  return folder === undefined ? undefined : `${folder}/${stateName(mirror)}`;
}

async function readState(path: string, mirror: Mirror): Promise<MirrorState | undefined> {
  const bytes = await readKept(path, MAX_BYTES);
  return bytes === undefined ? undefined : decodeState(bytes, mirror);
}

function isExpired(state: MirrorState, now: Date): boolean {
  return firstToExpire(state).expires <= now;
}

function isNewer(a: MirrorState, b: MirrorState): boolean {
  const versions = ({ metadata }: MirrorState): readonly number[] =>
    [metadata.root, metadata.timestamp].map((document) => summaryOf(document)?.version ?? 0);
  const [rootA = 0, timeA = 0] = versions(a);
  const [rootB = 0, timeB = 0] = versions(b);
  return rootA > rootB || (rootA === rootB && timeA > timeB);
}

// What says nothing about the mirror's documents. A document that is wrong is an answer.
function isTransient(error: unknown): error is CodedError {
  return error instanceof WireError || (error instanceof KeylessError && error.code === 'trust-unavailable');
}

function expired(mirror: Mirror, state: MirrorState): KeylessError {
  const { role, expires } = firstToExpire(state);
  return new KeylessError(
    'trust-expired',
    `what is known of the TUF repository ${mirror.url.href} has expired: its ${role}.json at ${expires.toISOString()}`,
  );
}

function neverAsked({ url }: Mirror): KeylessError {
  return new KeylessError(
    'trust-missing',
    `nothing is kept of the TUF repository ${url.href}, and the network is not to be used: run 'initialize' once with a network, or name a trusted root file`,
  );
}
