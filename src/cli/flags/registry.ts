// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import {
  formatReference,
  isDigest,
  openLayout,
  parseLocation,
  ReferenceFault,
  RemoteRegistry,
  targetOf,
  type Credentials,
  type CredentialsProvider,
  type Location,
  type Reference,
  type RemoteOptions,
  type Repository,
} from '../../oci/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { BULLA_VERSION } from '../version.ts';

/** How registries are reached: cosign's flags. */
export const REGISTRY_FLAGS = {
  'allow-http-registry': {
    kind: 'boolean',
    help: 'take plain HTTP where the registry does not speak TLS (loopback needs no flag)',
    weakens: '--allow-http-registry: whoever is on the way can read what is sent, and answer in place of the registry',
  },
  'allow-insecure-registry': {
    kind: 'boolean',
    help: 'take any TLS certificate of the registry',
    weakens:
      '--allow-insecure-registry: the certificate of the registry is not checked, so that anybody may answer in its place',
  },
  'k8s-keychain': {
    kind: 'boolean',
    hidden: true,
    help: 'take credentials from Kubernetes and clouds',
    refused: 'cloud keychains are not built in: name a credential helper in the docker configuration (credHelpers)',
  },
  'registry-cacert': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'PEM of the authorities that may certify the registry',
  },
  'registry-client-cert': { kind: 'string', default: '', placeholder: 'FILE', help: 'PEM of the client certificate' },
  'registry-client-key': { kind: 'string', default: '', placeholder: 'FILE', help: 'PEM of its private key' },
  'registry-server-name': {
    kind: 'string',
    default: '',
    placeholder: 'NAME',
    help: "the name that the registry's certificate must carry",
  },
  'registry-username': { kind: 'string', default: '', placeholder: 'NAME', help: 'user of the registry' },
  'registry-password': { kind: 'string', default: '', placeholder: 'PASSWORD', help: 'password of that user' },
  'registry-token': { kind: 'string', default: '', placeholder: 'TOKEN', help: 'bearer token for the registry' },
} as const;

/** The values of {@link REGISTRY_FLAGS}. */
export type RegistryFlagValues = FlagValues<typeof REGISTRY_FLAGS>;

/** An image's repository, and where in it the image is. */
export interface OpenedRepository {
  readonly repository: Repository;
  /** what to ask the repository for: a digest, else a tag */
  readonly target: string;
  /** the target is a digest, so that no tag decides */
  readonly byDigest: boolean;
}

/** What is done with a repository. */
export interface OpenRepositoryOptions {
  /** `push` asks for a token that may write at once */
  readonly actions: 'pull' | 'push';
  /** the image is the folder of an OCI layout (`--local-image`) */
  readonly layout?: boolean;
  /** makes the folder of a layout that is not there yet; then there is no target but the tag */
  readonly create?: boolean;
  /** credentials that stand in the place of docker's and podman's files, and a name for them: the same for the same */
  readonly credentials?: { readonly name: string; readonly provider: CredentialsProvider };
}

/**
 * Opens the repository of an image: `registry/repository[:tag][@digest]`, or `oci-layout:DIR[:TAG][@DIGEST]` for a folder, which opens no
 * socket. Nothing is asked of a registry yet.
 *
 * @throws ReferenceFault for what is no reference; CliError `network-forbidden`, `usage`; RegistryError `layout-malformed`
 * @example
 * const { repository, target } = await openRepository(context, image, flags, { actions: 'pull' });
 */
export async function openRepository(
  context: CommandContext,
  image: string,
  flags: RegistryFlagValues,
  options: OpenRepositoryOptions,
): Promise<OpenedRepository> {
  const location: Location = options.layout === true ? { kind: 'layout', path: image } : parseLocation(image);
  if (location.kind === 'registry') {
    refuseWithoutNetwork(context, formatReference(location.reference));
    const target = targetOf(location.reference);
    const repository = openRemote(context, location.reference, flags, options.actions, options.credentials);
    return { repository, target, byDigest: isDigest(target) };
  }
  const create = options.create === true;
  const layout = await openLayout(resolve(context.cwd, location.path), { create, name: location.path });
  const named = location.digest ?? location.tag;
  const target = named ?? (create ? 'latest' : (await layout.soleImage()).digest);
  return { repository: layout, target, byDigest: isDigest(target) };
}

/**
 * The repository where seals lie if not beside their image: COSIGN_REPOSITORY. `undefined` where it is not set.
 *
 * @throws as {@link openRepository}; CliError `usage` where it names a tag or digest
 */
export async function openEvidence(
  context: CommandContext,
  flags: RegistryFlagValues,
  actions: OpenRepositoryOptions['actions'],
): Promise<Repository | undefined> {
  const name = context.env['COSIGN_REPOSITORY'] ?? '';
  if (name === '') return undefined;
  const location = parseEvidence(name);
  const { tag, digest } = location.kind === 'registry' ? location.reference : location;
  if (tag !== undefined || digest !== undefined) {
    throw new CliError('usage', `COSIGN_REPOSITORY is '${name}', expected a repository without tag or digest`);
  }
  if (location.kind === 'registry') {
    refuseWithoutNetwork(context, name);
    return openRemote(context, location.reference, flags, actions);
  }
  return await openLayout(resolve(context.cwd, location.path), { create: actions === 'push', name: location.path });
}

function parseEvidence(name: string): Location {
  try {
    return parseLocation(name);
  } catch (cause) {
    if (!(cause instanceof ReferenceFault)) throw cause;
    throw new CliError('usage', `COSIGN_REPOSITORY: ${cause.message}`, { cause });
  }
}

/**
 * The registries and repositories that a command speaks to: what is learnt about one serves all images in it, and what was read of it is
 * not asked for again.
 */
const spokenTo: WeakMap<
  CommandContext,
  { readonly registries: Map<string, RemoteRegistry>; readonly repositories: Map<string, Repository> }
> = new WeakMap();

function openRemote(
  context: CommandContext,
  reference: Reference,
  flags: RegistryFlagValues,
  actions: OpenRepositoryOptions['actions'],
  credentials?: OpenRepositoryOptions['credentials'],
): Repository {
  const known = spokenTo.get(context) ?? { registries: new Map(), repositories: new Map() };
  spokenTo.set(context, known);
  const key = `${credentials?.name ?? ''} ${actions} ${reference.registry}`;
  const registry =
    known.registries.get(key) ??
    new RemoteRegistry(reference.registry, remoteOptions(context, flags, actions, credentials?.provider));
  known.registries.set(key, registry);
  const path = `${key}/${reference.repository}`;
  const repository = known.repositories.get(path) ?? registry.repository(reference.repository);
  known.repositories.set(path, repository);
  return repository;
}

/** How a registry is reached, as flags and environment say. @throws CliError `usage` */
export function remoteOptions(
  context: CommandContext,
  flags: RegistryFlagValues,
  actions: OpenRepositoryOptions['actions'],
  provider?: CredentialsProvider,
): RemoteOptions {
  const credentials = credentialsOf(flags);
  const found = credentials === undefined ? provider : (): Promise<Credentials> => Promise.resolve(credentials);
  const file = (name: string): string => resolve(context.cwd, name);
  return {
    access: actions === 'push' ? 'write' : 'read',
    ...(found === undefined ? {} : { credentials: found }),
    ...(flags['allow-http-registry'] ? { plainHttp: 'always' } : {}),
    tls: {
      ...(flags['allow-insecure-registry'] ? { insecure: true } : {}),
      ...(flags['registry-cacert'] === '' ? {} : { caFile: file(flags['registry-cacert']) }),
      ...(flags['registry-client-cert'] === '' ? {} : { certFile: file(flags['registry-client-cert']) }),
      ...(flags['registry-client-key'] === '' ? {} : { keyFile: file(flags['registry-client-key']) }),
      ...(flags['registry-server-name'] === '' ? {} : { serverName: flags['registry-server-name'] }),
    },
    ...(context.timeoutMs === undefined ? {} : { limits: { deadlineMs: context.timeoutMs } }),
    userAgent: `bulla/${BULLA_VERSION}`,
    signal: context.signal,
    environment: context.env,
    onWarning: (warning) => context.warn(warning),
  };
}

/** Credentials from flags are for every registry that the command names; `undefined` leaves it to docker's and podman's files. */
function credentialsOf(flags: RegistryFlagValues): Credentials | undefined {
  const { 'registry-username': username, 'registry-password': password, 'registry-token': token } = flags;
  if (token !== '') {
    if (username !== '' || password !== '') {
      throw new CliError(
        'usage',
        '--registry-token stands alone: leave --registry-username and --registry-password out',
      );
    }
    return { kind: 'registry-token', token, source: '--registry-token' };
  }
  if (username === '' && password === '') return undefined;
  if (username === '' || password === '') {
    throw new CliError('usage', '--registry-username and --registry-password belong together: only one was given');
  }
  return { kind: 'basic', username, password, source: '--registry-username' };
}

function refuseWithoutNetwork(context: CommandContext, name: string): void {
  if (!context.noNetwork) return;
  throw new CliError('network-forbidden', `--no-network: ${name} is in a registry`, {
    hint: 'name an OCI layout on disk: oci-layout:DIR[:TAG]',
  });
}
