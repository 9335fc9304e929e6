// SPDX-License-Identifier: Apache-2.0
import { parseTilePath } from '../../trust/index.ts';
import { readBody, type HttpClient } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { RekorError } from './rekor-error.ts';

/** What a log shows of itself. @see https://c2sp.org/tlog-tiles */
export interface LogReader {
  /** the signed note */
  checkpoint(): Promise<string>;
  /** @param path `tile/…`; `undefined` if the log has no such tile */
  tile(path: string): Promise<Uint8Array | undefined>;
}

const MAX_CHECKPOINT_BYTES = 256 * 1024;
/** 256 entries of 64 KiB, with their lengths */
const MAX_TILE_BYTES = 256 * (65_535 + 2);

/** Reads a log in this process. */
export function appendLogReader(log: AppendLog): LogReader {
  return {
    checkpoint: async () => log.tree().checkpoint,
    tile: async (path) => {
      const place = parseTilePath(path);
      if (place === undefined) return undefined;
      const { kind, level, index, width } = place;
      return kind === 'entries' ? await log.entryTile(index, width) : await log.hashTile(level, index, width);
    },
  };
}

/**
 * Reads a log over HTTP.
 *
 * @param options.baseUrl what `/checkpoint` and `/tile/…` are added to
 * @throws RekorError `log-inconsistent` for an answer that is none; WireError. No failure to reach the log is taken for a missing tile
 */
export function httpLogReader({ http, baseUrl }: { readonly http: HttpClient; readonly baseUrl: string }): LogReader {
  const get = async (path: string, most: number): Promise<Uint8Array | undefined> => {
    const url = new URL(`${baseUrl.replace(/\/+$/, '')}/${path}`);
    const request = { method: 'GET', url, home: url, headers: { 'accept-encoding': 'identity' } };
    return await http.exchange(request, async (response) => {
      if (response.status === 404) return undefined;
      if (response.status !== 200)
        throw new RekorError(
          'log-inconsistent',
          `${url.host} answers ${response.status} for ${path}, expected 200 or 404`,
        );
      return await readBody(response, most, `${path} of ${url.host}`);
    });
  };
  return {
    checkpoint: async () => {
      const note = await get('checkpoint', MAX_CHECKPOINT_BYTES);
      if (note === undefined) throw new RekorError('log-inconsistent', `there is no checkpoint below ${baseUrl}`);
      return Buffer.from(note).toString('utf8');
    },
    tile: async (path) => await get(path, MAX_TILE_BYTES),
  };
}
