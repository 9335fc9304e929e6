// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Updater } from 'tuf-js';
import { printable } from '../../trust/index.ts';
import { CodedError, type HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { below } from '../service/service-address.ts';
import {
  ROLES,
  SIGNING_CONFIG_TARGET,
  TRUSTED_ROOT_TARGET,
  type Mirror,
  type MirrorState,
  type Role,
} from './mirror-state.ts';
import { MirrorFetcher } from './mirror-fetcher.ts';

const MAX_TARGET_BYTES = 4 * 1024 * 1024;

/**
 * Brings what is known of a mirror up to date, by the client workflow of TUF: from the root that is known over each that follows it, to the
 * timestamp, the snapshot and the targets. What is older than what is known, of another time than its companions, signed by others or expired
 * is refused; nothing is kept of a workflow that did not come to its end.
 *
 * It works in a folder of its own, so that any number of processes may do so at a time. Load this file only where it is needed: the library
 * behind it takes longer to load than most of what is done with it.
 *
 * @param known the state to go on from; the first root where there is none
 * @throws KeylessError `trust-rejected`, `trust-expired`, `trust-unavailable`; WireError as the client does
 * @see https://theupdateframework.github.io/specification/latest/#detailed-client-workflow
 */
export async function refreshMirror(
  mirror: Mirror,
  known: MirrorState | undefined,
  options: { readonly http: HttpClient; readonly now: Date },
): Promise<MirrorState> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-tuf-'));
  const fetcher = new MirrorFetcher(mirror.url, options.http, folder);
  try {
    await lay(folder, mirror, known);
    const updater = new Updater({
      metadataDir: folder,
      metadataBaseUrl: mirror.url.href,
      targetDir: join(folder, 'files'),
      targetBaseUrl: below(mirror.url, mirror.targets ?? 'targets').href,
      fetcher,
    });
    await updater.refresh();
    const target = mirror.target ?? TRUSTED_ROOT_TARGET;
    const trustedRoot = await fetchTarget(updater, target, mirror.url);
    if (trustedRoot === undefined)
      throw new KeylessError('trust-unavailable', `the TUF repository ${mirror.url.href} has no ${target}`);
    const signingConfig = await fetchTarget(updater, SIGNING_CONFIG_TARGET, mirror.url);
    const documents = await Promise.all(
      ROLES.map(async (role) => [role, new Uint8Array(await readFile(join(folder, `${role}.json`)))] as const),
    );
    return {
      checkedAt: options.now,
      metadata: Object.fromEntries(documents) as Record<Role, Uint8Array>,
      trustedRoot,
      ...(signingConfig === undefined ? {} : { signingConfig }),
    };
  } catch (error) {
    throw explain(error, fetcher, mirror.url);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function lay(folder: string, { anchor }: Mirror, known: MirrorState | undefined): Promise<void> {
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'root.json'), known?.metadata.root ?? anchor);
  if (known === undefined) return;
  for (const role of ROLES) await writeFile(join(folder, `${role}.json`), known.metadata[role]);
  await writeFile(join(folder, 'files', TRUSTED_ROOT_TARGET), known.trustedRoot);
  if (known.signingConfig !== undefined)
    await writeFile(join(folder, 'files', SIGNING_CONFIG_TARGET), known.signingConfig);
}

async function fetchTarget(updater: Updater, name: string, mirror: URL): Promise<Uint8Array | undefined> {
  const target = await updater.getTargetInfo(name);
  if (target === undefined) return undefined;
  if (target.length > MAX_TARGET_BYTES)
    throw new KeylessError(
      'trust-rejected',
      `the TUF repository ${mirror.href} has ${name} of ${target.length} bytes, at most ${MAX_TARGET_BYTES} are read`,
    );
  // One that is here already and is still the right one is not fetched again.
  const path = (await updater.findCachedTarget(target)) ?? (await updater.downloadTarget(target));
  return new Uint8Array(await readFile(path));
}

// The library wraps what went wrong in other errors, and tells of them in words.
function explain(error: unknown, { failure }: MirrorFetcher, mirror: URL): CodedError {
  if (failure !== undefined) return failure;
  if (error instanceof CodedError) return error;
  const said = error instanceof Error ? error.message : String(error);
  const system = (error as NodeJS.ErrnoException).syscall;
  if (system !== undefined)
    return new KeylessError(
      'cache-unwritable',
      `the trusted root cannot be brought up to date: ${printable(said, 200)}`,
    );
  const [, role] = /\b([a-z]+\.json) is expired/.exec(said) ?? [];
  if (role !== undefined)
    return new KeylessError(
      'trust-expired',
      `${role} of the TUF repository ${mirror.href} has expired: whoever runs it must sign it anew (or the clock here is wrong)`,
      { cause: error },
    );
  const [absent] = /\bhttps?:\/\/\S+ answers 40[34]/.exec(said) ?? [];
  if (absent !== undefined)
    return new KeylessError(
      'trust-unavailable',
      `the TUF repository ${mirror.href} is not whole: ${printable(absent, 200)}`,
      {
        cause: error,
      },
    );
  return new KeylessError(
    'trust-rejected',
    `the TUF repository ${mirror.href} answers what is not to be trusted: ${printable(said.replace(/(?:\w*Error: )+/g, ''), 200)}`,
    { cause: error },
  );
}
