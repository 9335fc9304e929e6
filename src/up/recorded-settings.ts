// SPDX-License-Identifier: Apache-2.0
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { disk, writeDurably } from '../store/index.ts';
import { isJsonObject, parseJson, type Json } from '../wire/index.ts';
import { UpError } from './up-error.ts';

/** What the first start decides and no later one changes: keys, logs and published files name it. */
export interface RecordedSettings {
  /** of what lies in the data directory; a program refuses a newer one */
  readonly format: 1;
  /** where clients reach the stack, without a slash at the end */
  readonly url: string;
  /** where the first start listened: where later ones do unless told */
  readonly listen: { readonly host: string; readonly port: number };
  /** `{year}.log.example`: the host of each year's shard of the v2 log; without it there is one shard, under `url` */
  readonly logHost?: string;
  /** the curve of authorities' keys */
  readonly curve: 'p256' | 'p384';
  /** root and targets keys of the TUF repository were carried away */
  readonly offlineRoot: boolean;
}

/** Where they stand in a data directory. */
export const SETTINGS_FILE = 'stack.json';

const MAX_BYTES = 64 * 1024;

/** The settings in a file, or undefined where there is none. @throws UpError `settings-malformed` */
export async function readSettings(path: string): Promise<RecordedSettings | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new UpError('settings-malformed', `cannot read ${path}: ${cause instanceof Error ? cause.message : ''}`, {
      cause,
    });
  }
  try {
    return decodeSettings(parseJson(bytes, { what: path, maxBytes: MAX_BYTES }), path);
  } catch (cause) {
    if (cause instanceof UpError) throw cause;
    throw new UpError('settings-malformed', `${path}: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
}

/** Writes the settings whole, before anything is made that depends on them. */
export async function writeSettings(path: string, settings: RecordedSettings): Promise<void> {
  await writeDurably(disk, dirname(path), new Map([[basename(path), `${JSON.stringify(settings, null, 2)}\n`]]));
}

function decodeSettings(json: Json, path: string): RecordedSettings {
  const fault = (what: string): UpError => new UpError('settings-malformed', `${path}: ${what}`);
  if (!isJsonObject(json)) throw fault('found no JSON object');
  const { format, url, logHost, curve, offlineRoot, listen } = json;
  if (format !== 1) throw fault(`its format is ${JSON.stringify(format)?.slice(0, 20)}, this program knows 1`);
  if (typeof url !== 'string') throw fault('url is missing');
  if (curve !== 'p256' && curve !== 'p384') throw fault('curve is neither p256 nor p384');
  if (typeof offlineRoot !== 'boolean') throw fault('offlineRoot is neither true nor false');
  if (logHost !== undefined && typeof logHost !== 'string') throw fault('logHost is no text');
  const { host, port } = isJsonObject(listen ?? null) ? (listen as Readonly<Record<string, Json>>) : {};
  if (typeof host !== 'string' || typeof port !== 'number') throw fault('listen has no host and port');
  return {
    format,
    url: parseUrl(url),
    listen: { host, port },
    curve,
    offlineRoot,
    ...(logHost === undefined ? {} : { logHost }),
  };
}

/**
 * The URL of a stack, as it is recorded.
 *
 * @throws UpError `url-malformed` where it is not `http[s]://HOST[:PORT]`
 */
export function parseUrl(text: string): string {
  const url = URL.parse(text);
  const plain = url !== null && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search + url.hash === '';
  if (!plain || url.username !== '' || url.password !== '') {
    throw new UpError('url-malformed', 'the URL of a stack is of the form http[s]://HOST[:PORT]');
  }
  return url.origin;
}
