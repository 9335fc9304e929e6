// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, encodeBase64 } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { HASH_BYTES, isCount, type TreeHead } from './merkle.ts';

/**
 * What a log says of itself: how large it is, and its root.
 *
 * @see https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md
 */
export interface Checkpoint extends TreeHead {
  /** which log it is */
  readonly origin: string;
  /** further lines; they are signed, and mean nothing here */
  readonly extensions: readonly string[];
}

/** Origins are written with one octet of length where witnesses sign them. */
const MAX_ORIGIN_BYTES = 255;
const SIZE = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * Reads the text of a checkpoint.
 *
 * @param text of a note
 * @param what names the checkpoint in errors
 * @throws TrustError `checkpoint-malformed`; WireError `base64-malformed`
 */
export function decodeCheckpoint(text: string, what: string): Checkpoint {
  const lines = text.split('\n');
  const end = lines.pop();
  const [origin = '', size = '', root = '', ...extensions] = lines;
  if (end !== '' || lines.length < 3 || lines.includes(''))
    throw malformed(what, `${lines.length} lines, expected three or more, none of them empty`);
  requireOrigin(origin, what);
  if (!SIZE.test(size) || !isCount(Number(size))) throw malformed(what, `the size '${printable(size, 40)}'`);
  const hash = decodeBase64(root, `the root of ${what}`);
  if (hash.length !== HASH_BYTES) throw malformed(what, `a root of ${hash.length} octets, expected ${HASH_BYTES}`);
  return { origin, size: Number(size), root: hash, extensions };
}

/** The text of a checkpoint, to be signed as a note. @throws TrustError `checkpoint-malformed` for what none can hold */
export function encodeCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  const what = 'the checkpoint';
  requireOrigin(origin, what);
  if (!isCount(size) || root.length !== HASH_BYTES)
    throw malformed(what, `the size ${size} and a root of ${root.length} octets`);
  if (extensions.some((line) => line === '' || /[\x00-\x1f]/.test(line) || !line.isWellFormed()))
    throw malformed(what, 'an extension that is no line');
  return [origin, size, encodeBase64(root), ...extensions, ''].join('\n');
}

/** The origin of a log of Rekor v1: that suffix tells readers which version it is. */
export function rekorV1Origin(host: string, treeId: bigint): string {
  return `${host} - ${treeId}`;
}

/** Whether an origin is one of Rekor v1, by whatever host: those servers know themselves by names that clients do not. */
export function isRekorV1Origin(origin: string): boolean {
  return /^.+ - [0-9]+$/.test(origin);
}

/**
 * The origin that a log of Rekor v2 must have to be believed: the host of its address, without port and path, as every client of
 * Sigstore has it. `undefined` if that is no address.
 */
export function hostOfLog(baseUrl: string): string | undefined {
  if (!URL.canParse(baseUrl)) return undefined;
  const { hostname } = new URL(baseUrl);
  return hostname === '' ? undefined : hostname.replace(/^\[(.*)\]$/, '$1');
}

function requireOrigin(origin: string, what: string): void {
  const length = Buffer.byteLength(origin);
  if (length === 0 || length > MAX_ORIGIN_BYTES || /[\x00-\x1f]/.test(origin) || !origin.isWellFormed())
    throw malformed(what, `the origin '${printable(origin)}'`);
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('checkpoint-malformed', `${what} is no checkpoint: it has ${found}`);
}
