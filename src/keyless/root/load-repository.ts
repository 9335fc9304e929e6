// SPDX-License-Identifier: Apache-2.0
import { decodeTrustedRoot, printable, type TrustedRoot } from '../../trust/index.ts';
import { HttpClient, systemClock, type Transport, type TransportResponse } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { parseServiceAddress } from '../service/service-address.ts';
import type { LoadMirrorOptions } from './load-mirror.ts';
import { TRUSTED_ROOT_TARGET, type Mirror } from './mirror-state.ts';
import { unpackRepository } from './unpack-repository.ts';

/** A TUF repository that publishes a trusted root, as a TrustRoot of policy-controller names it. */
export interface TrustRepository {
  /** its first root.json, with which trust begins */
  readonly root: Uint8Array;
  /** the folder of its targets */
  readonly targets: string;
  /** the target that is the trusted root */
  readonly target: string;
}

/**
 * The trusted root of a repository at an address, by the client workflow of TUF, kept for a day as that of `initialize` is.
 *
 * @throws KeylessError `setting-malformed`, `trust-missing`, `trust-expired`, `trust-rejected`, `trust-unavailable`; TrustError for a target that
 * is no trusted root; WireError as the client does
 */
export async function loadRemoteRepository(
  repository: TrustRepository & { readonly mirror: string },
  options: LoadMirrorOptions,
): Promise<TrustedRoot> {
  const url = parseServiceAddress(repository.mirror, 'the mirror');
  const { loadMirror } = await import('./load-mirror.ts');
  const { state } = await loadMirror(mirrorOf(url, repository), options);
  return decodeTrustedRoot(state.trustedRoot, `${printable(repository.target, 80)} of ${url.href}`);
}

/** where an archive seems to lie: an address that nobody has */
const INSIDE = new URL('https://archive.invalid/');

/**
 * The trusted root of a repository that is in an archive (tar, compressed with gzip): verified from its first root as if it had been fetched.
 * Nothing is asked of anybody, and nothing is kept.
 *
 * @throws KeylessError `trust-rejected` also for what is no such archive, or a larger one than is read; else as `loadRemoteRepository`
 */
export async function loadPackedRepository(
  repository: TrustRepository & { readonly mirror: Uint8Array },
  options: { readonly now: Date },
): Promise<TrustedRoot> {
  const files = await unpackRepository(repository.mirror);
  const http = new HttpClient({ transport: async () => archiveTransport(files), clock: systemClock, lookup: nobody });
  const { refreshMirror } = await import('./refresh-mirror.ts');
  const { trustedRoot } = await refreshMirror(mirrorOf(INSIDE, repository), undefined, { http, now: options.now });
  return decodeTrustedRoot(trustedRoot, `${printable(repository.target, 80)} of the archive`);
}

function mirrorOf(url: URL, { root: anchor, targets, target }: TrustRepository): Mirror {
  if (!/^[\w.-]+(?:\/[\w.-]+)*$/.test(targets) || targets.split('/').includes('..'))
    throw new KeylessError(
      'setting-malformed',
      `the folder of targets is '${printable(targets, 80)}', expected a path`,
    );
  return {
    url,
    anchor,
    ...(targets === 'targets' ? {} : { targets }),
    ...(target === TRUSTED_ROOT_TARGET ? {} : { target }),
  };
}

const nobody = async (): Promise<readonly []> => [];

function archiveTransport(files: ReadonlyMap<string, Uint8Array>): Transport {
  return {
    async request({ url }): Promise<TransportResponse> {
      const bytes = files.get(decodeURIComponent(url.pathname.slice(INSIDE.pathname.length)));
      return {
        status: bytes === undefined ? 404 : 200,
        headers: {},
        body: (async function* (): AsyncGenerator<Uint8Array> {
          if (bytes !== undefined) yield bytes;
        })(),
        discard: async () => undefined,
      };
    },
    close: () => undefined,
  };
}
