// SPDX-License-Identifier: Apache-2.0
import { decodeSigningConfig, decodeTrustedRoot, printable, type TrustedRoot } from '../../trust/index.ts';
import {
  hostOf,
  isJsonObject,
  isLoopback,
  parseJson,
  readBody,
  shownUrl,
  WireError,
  type HttpClient,
} from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { parseServiceAddress } from '../service/service-address.ts';
import { readKeptMirror, updateMirror } from './load-mirror.ts';
import { SIGNING_CONFIG_TARGET, TRUSTED_ROOT_TARGET, type Mirror } from './mirror-state.ts';
import { originOf } from './mirror-origin.ts';
import { readNamedFile } from './read-named-file.ts';
import { checksumOf, rememberMirror, trustFolder, type Surroundings } from './trust-place.ts';
import type { TrustOrigin } from './trust-origin.ts';

/** Which repository is to be trusted from now on, and why. */
export interface InitializeTrustOptions extends Surroundings {
  /** the address of a TUF repository; the public instance's unless told */
  readonly mirror?: string;
  /** its first root, a path or an address; unless told the one of the public instance that is built in */
  readonly root?: string;
  /** SHA-256 of the first root, in hexadecimal */
  readonly rootChecksum?: string;
  readonly now: Date;
  readonly http: HttpClient;
}

/** What is trusted from now on. */
export interface InitializedTrust {
  readonly mirror: string;
  /** SHA-256 of the first root, in hexadecimal */
  readonly rootChecksum: string;
  readonly trustedRoot: TrustedRoot;
  readonly origin: Extract<TrustOrigin, { kind: 'tuf' }>;
}

const WITHIN_MS = 30_000;
const MAX_ROOT_BYTES = 512_000;

/**
 * Begins to trust a TUF repository: its first root is taken from a file or an address, all that follows is verified, and only if all of it is
 * good it is remembered for later runs. What was trusted before stays otherwise.
 *
 * The first root is what everything else rests on. Over plain http anybody on the way could put another in its place, so that beyond this
 * machine it is taken only with a checksum.
 *
 * @throws KeylessError `root-unprotected`, `root-checksum`, `root-malformed`, `file-unreadable`, `setting-malformed`, `cache-unwritable`,
 * `trust-rejected`, `trust-expired`, `trust-unavailable`; TrustError for a trusted root or signing config that cannot be read; WireError as the
 * client does
 * @example
 * await initializeTrust({ mirror: 'https://tuf.example', root: 'root.json', env: process.env, home, cwd, now: new Date(), http });
 */
export async function initializeTrust(options: InitializeTrustOptions): Promise<InitializedTrust> {
  const { now, http } = options;
  const folder = trustFolder(options);
  if (folder === undefined)
    throw new KeylessError('cache-unwritable', 'there is no folder to keep the trusted root in: set HOME or TUF_ROOT');
  const mirror = await readMirror(options);
  requireRoot(mirror.anchor, options);
  const known = await readKeptMirror(mirror, folder);
  const loaded = await updateMirror(mirror, known, { http, now, folder });
  if (loaded.unkept !== undefined) throw loaded.unkept;
  const { state } = loaded;
  const trustedRoot = decodeTrustedRoot(state.trustedRoot, `${TRUSTED_ROOT_TARGET} of ${mirror.url.href}`);
  if (state.signingConfig !== undefined)
    decodeSigningConfig(state.signingConfig, `${SIGNING_CONFIG_TARGET} of ${mirror.url.href}`);
  await rememberMirror(folder, mirror, now);
  return {
    mirror: mirror.url.href,
    rootChecksum: checksumOf(mirror.anchor),
    trustedRoot,
    origin: originOf(mirror, loaded),
  };
}

async function readMirror(options: InitializeTrustOptions): Promise<Mirror> {
  const { mirror, root } = options;
  const builtIn = async (): Promise<Mirror> => (await import('./built-in-root.ts')).builtInRoot().mirror;
  const url =
    mirror === undefined ? (await builtIn()).url : parseServiceAddress(mirror, 'the address of the TUF repository');
  if (root === undefined) return { url, anchor: (await builtIn()).anchor };
  return { url, anchor: await readFirstRoot(root, options) };
}

async function readFirstRoot(root: string, options: InitializeTrustOptions): Promise<Uint8Array> {
  if (!/^https?:\/\//i.test(root))
    return readNamedFile(root, { cwd: options.cwd, what: 'the first root', maxBytes: MAX_ROOT_BYTES });
  const url = parseServiceAddress(root, 'the address of the first root');
  if (url.protocol === 'http:' && !isLoopback(hostOf(url)) && options.rootChecksum === undefined)
    throw new KeylessError(
      'root-unprotected',
      `the first root would come from ${shownUrl(url)} over plain http, where anybody on the way can put another in its place: use https, or give its SHA-256 with --root-checksum`,
    );
  return fetchRoot(url, options.http);
}

async function fetchRoot(url: URL, http: HttpClient): Promise<Uint8Array> {
  return http.exchange(
    {
      method: 'GET',
      url,
      headers: { 'user-agent': 'bulla' },
      home: url,
      deadline: http.clock.now() + WITHIN_MS,
      // Over plain http a redirect could lead beyond this machine.
      ...(url.protocol === 'http:' ? { redirects: 0 } : {}),
    },
    async (response) => {
      if (response.status !== 200)
        throw new KeylessError(
          'trust-unavailable',
          `the first root ${shownUrl(url)}: the server answers ${response.status}`,
        );
      return new Uint8Array(await readBody(response, MAX_ROOT_BYTES, `the first root ${shownUrl(url)}`));
    },
  );
}

function requireRoot(anchor: Uint8Array, { root = 'that is built in', rootChecksum }: InitializeTrustOptions): void {
  const what = `the first root ${printable(root, 200)}`;
  const found = checksumOf(anchor);
  if (rootChecksum !== undefined && rootChecksum.toLowerCase() !== found)
    throw new KeylessError('root-checksum', `${what} has the SHA-256 ${found}, expected ${printable(rootChecksum)}`);
  let value;
  try {
    value = parseJson(anchor, { what, maxBytes: MAX_ROOT_BYTES, maxDepth: 32 });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new KeylessError('root-malformed', error.message, { cause: error });
  }
  const signed = isJsonObject(value) ? value['signed'] : undefined;
  if (!isJsonObject(signed) || signed['_type'] !== 'root')
    throw new KeylessError('root-malformed', `${what} is no root document of a TUF repository`);
}
