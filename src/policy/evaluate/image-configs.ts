// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, RegistryError, type Digest, type Repository } from '../../oci/index.ts';
import { printable, repeatedMember } from '../../trust/index.ts';
import {
  caselessNames,
  isJsonObject,
  misspeltMember,
  parseJson,
  type CaselessNames,
  type Json,
} from '../../wire/index.ts';
import type { IndexedPlatform } from './index-platforms.ts';

const MAX_CONFIG = 4 * 1024 * 1024;
const MEMBERS = caselessNames(
  'created author architecture variant os os.version os.features config rootfs history'.split(' '),
);
/** of OCI's `config`, and what Docker has beside them */
const RUN_MEMBERS = caselessNames(
  (
    'User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ' +
    'Healthcheck Shell OnBuild ArgsEscaped Memory MemorySwap CpuShares'
  ).split(' '),
);

/**
 * The configurations of images by platform, as policy-controller's `fetchConfigFile` has them: `{"linux/amd64": {…}}`, with the variant where
 * there is one (`linux/arm64/v8`), and of Windows with the version of the system (`windows/amd64:10.0.20348`). Two requests an image.
 *
 * The name is the one by which an index lists the image, since that is how a node chooses it: a configuration that says otherwise, and two of
 * one name, would be a way to show a policy another image than the one that runs.
 *
 * @throws RegistryError `content-missing`, `too-large`, `manifest-malformed`; WireError for what is no JSON
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md
 */
export async function readConfigs(
  repository: Repository,
  images: readonly (Pick<IndexedPlatform, 'digest'> & Partial<Pick<IndexedPlatform, 'platform'>>)[],
): Promise<Json> {
  const configs = new Map<string, Json>();
  for (const { digest, platform } of images) {
    const config = await readConfig(repository, digest);
    const name = nameOf(config, platform, digest);
    if (configs.has(name)) throw malformed(digest, `is one of two for ${name}`);
    configs.set(name, config);
  }
  return Object.fromEntries(configs);
}

async function readConfig(repository: Repository, image: Digest): Promise<Json> {
  const stored = await repository.manifest(image);
  if (stored === undefined) throw new RegistryError('content-missing', `${repository.name} has no ${image}`);
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind !== 'image') throw malformed(image, 'is not an image');
  const { digest, size } = manifest.config;
  const what = `the configuration ${digest} of ${repository.name}`;
  if (size > MAX_CONFIG)
    throw new RegistryError('too-large', `${what} has ${size} bytes, at most ${MAX_CONFIG} are read`);
  const bytes = await repository.blob(digest, MAX_CONFIG);
  if (bytes === undefined) throw new RegistryError('content-missing', `${what} is not there`);
  const config = parseJson(bytes, { what, maxBytes: MAX_CONFIG });
  // What starts the container is Go, and may read these otherwise.
  const strange =
    repeatedMember(new TextDecoder().decode(bytes)) ??
    misspelt(config, MEMBERS) ??
    misspelt(isJsonObject(config) ? config['config'] : undefined, RUN_MEMBERS);
  if (strange === undefined) return config;
  throw malformed(image, `has a configuration of which readers differ about '${printable(strange, 60)}'`);
}

function misspelt(json: Json | undefined, names: CaselessNames): string | undefined {
  return isJsonObject(json) ? misspeltMember(json, names) : undefined;
}

function nameOf(config: Json, listed: IndexedPlatform['platform'], digest: Digest): string {
  const { os, architecture, variant, 'os.version': version } = isJsonObject(config) ? config : {};
  if (
    listed !== undefined &&
    (os ?? listed.os) === listed.os &&
    (architecture ?? listed.architecture) === listed.architecture
  )
    return joined([listed.os, listed.architecture, listed.variant], listed.os === 'windows' ? version : undefined);
  const name = joined([os, architecture, variant], os === 'windows' ? version : undefined);
  if (listed === undefined) return name;
  throw malformed(digest, `is listed for ${joined([listed.os, listed.architecture])} and says it is for ${name}`);
}

function joined(parts: readonly (Json | undefined)[], version?: Json): string {
  const named = parts.filter((part): part is string => typeof part === 'string' && part !== '').join('/');
  return printable(`${named === '' ? 'unknown' : named}${typeof version === 'string' ? `:${version}` : ''}`, 80);
}

function malformed(image: Digest, problem: string): RegistryError {
  return new RegistryError('manifest-malformed', `${image} ${problem}`);
}
