// SPDX-License-Identifier: Apache-2.0
import {
  decodeClientTrustConfig,
  decodeSigningConfig,
  decodeTrustedRoot,
  type SigningConfig,
  type TrustedRoot,
} from '../../trust/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { parseServiceAddress } from '../service/service-address.ts';
import { SIGNING_CONFIG_TARGET, TRUSTED_ROOT_TARGET, type Mirror } from './mirror-state.ts';
import { originOf } from './mirror-origin.ts';
import { readNamedFile } from './read-named-file.ts';
import { namedVariables, withVariables } from './root-variables.ts';
import type { TrustOrigin } from './trust-origin.ts';
import { cosignMirror, initializedMirror, trustFolder, type Surroundings } from './trust-place.ts';

/** What is needed, and where it may come from. */
export interface LoadTrustOptions extends Surroundings {
  readonly now: Date;
  readonly http: HttpClient;
  /** asks nobody */
  readonly offline?: boolean;
  /** `--trusted-root` */
  readonly trustedRootFile?: string;
  /** a trusted root and a signing config in one file */
  readonly clientTrustConfigFile?: string;
  /** `--signing-config` */
  readonly signingConfigFile?: string;
  /** one is about to sign and names no services: a signing config is looked for where the root alone would not need it */
  readonly signing?: boolean;
  /** milliseconds after which what a mirror said is asked for again; a day unless told */
  readonly maxAgeMs?: number;
  /** of the variables that name one part each, those that a key needs (the log) or those that a certificate needs (all); all unless told */
  readonly expected?: 'keys' | 'identities';
}

/** Whom one trusts, with which services one signs, and where that comes from. */
export interface TrustMaterial {
  readonly trustedRoot: TrustedRoot;
  /** none where the source of the trusted root has none, and no file was named */
  readonly signingConfig?: SigningConfig;
  readonly origin: TrustOrigin;
}

const MAX_FILE_BYTES = 5 * 1024 * 1024;

/**
 * Whom to trust, from the first of these that there is: the file that was named; the client trust config; the variables that name parts
 * (`SIGSTORE_ROOT_FILE`, `SIGSTORE_CT_LOG_PUBLIC_KEY_FILE`, `SIGSTORE_REKOR_PUBLIC_KEY`, `SIGSTORE_TSA_CERTIFICATE_FILE`), with the parts that
 * none names from what follows; the TUF repository of `TUF_MIRROR` and `TUF_ROOT_JSON`, or else of the last `initialize`, ours or cosign's;
 * the public instance as it is built in. The network is used for a TUF repository alone, and for that once a day, or as `maxAgeMs` says.
 *
 * @throws KeylessError `file-unreadable`, `setting-malformed`, `trust-missing`, `trust-expired`, `trust-rejected`, `trust-unavailable`;
 * TrustError for files that cannot be read; WireError as the client does
 * @example
 * const { trustedRoot, origin } = await loadTrust({ env: process.env, home: homedir(), cwd: process.cwd(), now: new Date(), http });
 * console.error(describeOrigin(origin, new Date()));
 */
export async function loadTrust(options: LoadTrustOptions): Promise<TrustMaterial> {
  const material = await loadRoot(options);
  const { signingConfigFile: file, clientTrustConfigFile: configFile } = options;
  if (file !== undefined)
    return { ...material, signingConfig: decodeSigningConfig(await named(file, 'the signing config', options), file) };
  if (configFile === undefined || material.origin.kind === 'client-trust-config') return material;
  const { signingConfig } = decodeClientTrustConfig(
    await named(configFile, 'the client trust config', options),
    configFile,
  );
  return { ...material, signingConfig };
}

async function loadRoot(options: LoadTrustOptions): Promise<TrustMaterial> {
  const { trustedRootFile: file, clientTrustConfigFile: configFile } = options;
  if (file !== undefined) {
    const trustedRoot = decodeTrustedRoot(await named(file, 'the trusted root', options), file);
    return { trustedRoot, origin: { kind: 'file', path: file } };
  }
  if (configFile !== undefined) {
    const config = decodeClientTrustConfig(await named(configFile, 'the client trust config', options), configFile);
    return { ...config, origin: { kind: 'client-trust-config', path: configFile } };
  }
  const variables = namedVariables(options);
  return variables === undefined
    ? loadDistributed(options)
    : withVariables(variables, options, () => loadDistributed(options));
}

/** What somebody distributes: a TUF repository, or what is built in. */
async function loadDistributed(options: LoadTrustOptions): Promise<TrustMaterial> {
  const mirror =
    (await mirrorOfVariables(options)) ?? (await initializedMirror(options)) ?? (await cosignMirror(options));
  if (mirror !== undefined) return loadFrom(mirror, options);
  const { builtInRoot } = await import('./built-in-root.ts');
  const { mirror: publicMirror, trustedRoot, rootVersion, signedAt } = builtInRoot();
  // With which services the public instance is signed changes within a year, and is not built in.
  if (options.signing === true && options.signingConfigFile === undefined && options.offline !== true)
    return loadFrom(publicMirror, options);
  return {
    trustedRoot: decodeTrustedRoot(trustedRoot, 'the trusted root that is built in'),
    origin: { kind: 'built-in', mirror: publicMirror.url.href, rootVersion, signedAt },
  };
}

async function loadFrom(mirror: Mirror, options: LoadTrustOptions): Promise<TrustMaterial> {
  const { loadMirror } = await import('./load-mirror.ts');
  const { http, now, offline, maxAgeMs } = options;
  const folder = trustFolder(options);
  const loaded = await loadMirror(mirror, {
    http,
    now,
    ...(folder === undefined ? {} : { folder }),
    ...(offline === undefined ? {} : { offline }),
    ...(maxAgeMs === undefined ? {} : { lifetimeMs: maxAgeMs }),
  });
  const { trustedRoot, signingConfig } = loaded.state;
  const of = `of ${mirror.url.href}`;
  return {
    trustedRoot: decodeTrustedRoot(trustedRoot, `${TRUSTED_ROOT_TARGET} ${of}`),
    ...(signingConfig === undefined
      ? {}
      : { signingConfig: decodeSigningConfig(signingConfig, `${SIGNING_CONFIG_TARGET} ${of}`) }),
    origin: originOf(mirror, loaded),
  };
}

// As cosign has it: a mirror for one run, with its first root in a file, or with the one that was initialised for this address.
async function mirrorOfVariables(options: LoadTrustOptions): Promise<Mirror | undefined> {
  const { env } = options;
  const address = env['TUF_MIRROR'] ?? '';
  const root = env['TUF_ROOT_JSON'] ?? '';
  if (address === '' && root === '') return undefined;
  const { builtInRoot, PUBLIC_MIRROR } = await import('./built-in-root.ts');
  const url = parseServiceAddress(address === '' ? PUBLIC_MIRROR : address, 'TUF_MIRROR');
  if (root !== '') return { url, anchor: await named(root, 'TUF_ROOT_JSON', options) };
  const same = (mirror: Mirror | undefined): mirror is Mirror => mirror !== undefined && sameAddress(mirror.url, url);
  const known = [await initializedMirror(options), await cosignMirror(options), builtInRoot().mirror].find(same);
  if (known !== undefined) return known;
  throw new KeylessError(
    'trust-missing',
    `TUF_MIRROR is ${url.href}, and nothing says with which root its trust begins: set TUF_ROOT_JSON to its root.json, or run 'initialize' once`,
  );
}

function sameAddress(a: URL, b: URL): boolean {
  return a.href.replace(/\/+$/, '') === b.href.replace(/\/+$/, '');
}

function named(path: string, what: string, { cwd }: LoadTrustOptions): Promise<Uint8Array> {
  return readNamedFile(path, { cwd, what, maxBytes: MAX_FILE_BYTES });
}
