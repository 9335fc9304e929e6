// SPDX-License-Identifier: Apache-2.0
import type { Environment } from '../../wire/index.ts';
import type { AuthFile } from './auth-file.ts';
import type { Credentials } from './credentials.ts';

/** What credentials are looked for with. */
export interface FindCredentialsOptions {
  /** where in the registry; podman keeps credentials for parts of one */
  readonly repository?: string;
  /** from flags: these go before all files */
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
  /** the process's unless told */
  readonly environment?: Environment;
  /** how long a credential helper may take; 30 s unless told */
  readonly helperTimeoutMs?: number;
}

/**
 * Finds the credentials for a registry: those of the flags, else the first found in docker's and podman's files and the programs that
 * these name. Undefined where there are none: then we are anonymous.
 *
 * Files that the environment names (DOCKER_CONFIG, REGISTRY_AUTH_FILE) go before those in the home directory.
 *
 * @param registry `host[:port]` as references name it
 * @throws RegistryError `credentials-malformed`, which names the file or program and shows nothing of what it holds
 * @example
 * const credentials = await findCredentials('registry.example.com', { repository: 'team/app' });
 */
export async function findCredentials(
  registry: string,
  options: FindCredentialsOptions = {},
): Promise<Credentials | undefined> {
  const { token, username, password } = options;
  if (token !== undefined && token !== '') return { kind: 'registry-token', token, source: 'the given token' };
  if (username !== undefined && username !== '') {
    return { kind: 'basic', username, password: password ?? '', source: 'the given user name' };
  }
  const environment = options.environment ?? process.env;
  const { readAuthFile } = await import('./auth-file.ts'); // what nobody asks for need not load
  for (const path of authFiles(environment)) {
    const file = readAuthFile(path);
    const found = file === undefined ? undefined : await fromFile(file, registry, environment, options);
    if (found !== undefined) return found;
  }
  return undefined;
}

function authFiles(environment: Environment): readonly string[] {
  const { DOCKER_CONFIG: docker, REGISTRY_AUTH_FILE: podman, XDG_RUNTIME_DIR: runtime } = environment;
  const home = environment['HOME'] ?? environment['USERPROFILE'] ?? '';
  const config = environment['XDG_CONFIG_HOME'] ?? (home === '' ? '' : `${home}/.config`);
  const paths = [
    under(docker, 'config.json'),
    under(podman, ''),
    // docker looks in the home directory only where DOCKER_CONFIG does not say otherwise
    docker === undefined || docker === '' ? under(home, '.docker/config.json') : undefined,
    under(runtime, 'containers/auth.json'),
    under(config, 'containers/auth.json'),
  ];
  return [...new Set(paths.filter((path) => path !== undefined))];
}

function under(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined || directory === '') return undefined;
  return name === '' ? directory : `${directory}/${name}`;
}

async function fromFile(
  file: AuthFile,
  registry: string,
  environment: Environment,
  options: FindCredentialsOptions,
): Promise<Credentials | undefined> {
  const helper = file.helper(registry);
  if (helper !== undefined) {
    const { runCredentialHelper } = await import('./credential-helper.ts');
    const found = await runCredentialHelper(helper, serverName(registry), {
      file: file.path,
      environment,
      timeoutMs: options.helperTimeoutMs ?? 30_000,
    });
    if (found !== undefined) return found;
  }
  return file.credentials(registry, options.repository);
}

/** What helpers know a registry by. */
function serverName(registry: string): string {
  return registry === 'index.docker.io' ? 'https://index.docker.io/v1/' : registry;
}
