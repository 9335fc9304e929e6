// SPDX-License-Identifier: Apache-2.0
import { gzip } from 'node:zlib';
import { promisify } from 'node:util';
import { parseTilePath, TILE_WIDTH } from '../../trust/index.ts';
import { header, type Call, type Reply } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { RekorError } from './rekor-error.ts';
import { requireMethod } from './request.ts';

const IMMUTABLE = 'public, max-age=31536000, immutable';
const compress = promisify(gzip);

/** Whether a path is one that `answerTiles` has an answer to. */
export function isTilesPath(path: string): boolean {
  return path === '/checkpoint' || path.startsWith('/tile/');
}

/**
 * The read side of a log: its checkpoint, its hashes and its entries.
 *
 * @param path without a prefix: `/checkpoint`, `/tile/…`
 * @throws RekorError `not-found`, `method-unsupported`
 * @see https://c2sp.org/tlog-tiles
 */
export async function answerTiles(log: AppendLog, call: Call, path: string): Promise<Reply> {
  requireMethod(call, ['GET', 'HEAD']);
  if (path === '/checkpoint') {
    const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' };
    return { status: 200, headers, body: log.tree().checkpoint };
  }
  const place = parseTilePath(path.slice(1));
  // The one width that has no suffix is the whole.
  if (place === undefined || (place.width === TILE_WIDTH && path.includes('.p/'))) throw missing();
  const { kind, level, index, width } = place;
  const body = kind === 'entries' ? await log.entryTile(index, width) : await log.hashTile(level, index, width);
  if (body === undefined) throw missing();
  const headers = { 'content-type': 'application/octet-stream', 'cache-control': IMMUTABLE };
  // Hashes cannot be made shorter.
  if (kind === 'hashes') return { status: 200, headers, body };
  const vary = { ...headers, vary: 'accept-encoding' };
  if (!acceptsGzip(header(call, 'accept-encoding') ?? '')) return { status: 200, headers: vary, body };
  return { status: 200, headers: { ...vary, 'content-encoding': 'gzip' }, body: await compress(body) };
}

/** @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.3 */
function acceptsGzip(accepted: string): boolean {
  return accepted.split(',').some((item) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$)[0-9.]+\s*)?$/i.test(item));
}

function missing(): RekorError {
  return new RekorError('not-found', 'the log has no such tile');
}
