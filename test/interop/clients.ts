// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';

/** The real clients that tests know; `opa` may also be what `npm run build:rego` makes. `docker` counts only where its daemon answers, so it is never required. */
const CLIENTS = [
  'cosign-2',
  'cosign-3',
  'rekor-cli',
  'gitsign',
  'git',
  'sigstore-go-sign',
  'sigstore-go-verify',
  'crane',
  'oras',
  'skopeo',
  'buildah',
  'podman',
  'docker-registry',
  'dpkg-query',
  'npm',
  'opa',
] as const;
export type ClientName = (typeof CLIENTS)[number];

/** What a client did. */
export interface ClientRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a client is run. */
export interface ClientOptions {
  /** a fresh folder: becomes HOME and the working folder, and is all that the client should write to */
  readonly home: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** milliseconds until it is killed; 60,000 unless told */
  readonly timeout?: number;
}

/** The program of a client: from `test/tools/peers` (`BULLA_PEERS` names its folder), or from the PATH. */
export function findClient(name: string): string | undefined {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const peers = join(process.env['BULLA_PEERS'] ?? join(cache, 'bulla-peers'), 'bin');
  const folders = [peers, ...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const places = folders.map((folder) => join(folder, name));
  if (name === 'opa') places.unshift(process.env['BULLA_REGO_WASM'] ?? join(cache, 'bulla', 'rego.wasm'));
  return places.find((path) => isProgram(path));
}

/** The variable by which bulla finds what {@link findClient} found as `opa`. */
export function opaVariable(path: string): Readonly<Record<string, string>> {
  return path.endsWith('.wasm') ? { BULLA_REGO_WASM: path } : { BULLA_OPA: path };
}

/** Clients that are not on this machine. */
export function missingClients(): readonly ClientName[] {
  return CLIENTS.filter((name) => findClient(name) === undefined);
}

/**
 * A test with real clients. Where one of them is missing the test is left out and says so; with `BULLA_INTEROP=required`, as CI sets
 * it, it fails.
 *
 * @example
 * interop('cosign 3 verifies what bulla seals', ['cosign-3'], async ([cosign]) => {
 *   const { code } = await runClient(cosign, ['verify', …], { home });
 *   assert.equal(code, 0);
 * });
 */
export function interop<const Names extends readonly ClientName[]>(
  title: string,
  needs: Names,
  body: (programs: { readonly [K in keyof Names]: string }, context: TestContext) => Promise<void>,
): void {
  const found = needs.map((name) => findClient(name));
  const missing = needs.filter((_, index) => found[index] === undefined).join(', ');
  const reason = `${missing} not found; test/tools/peers, apt-get and npm run build:rego install them`;
  const required = process.env['BULLA_INTEROP'] === 'required';
  test(title, { skip: missing === '' || required ? false : reason }, async (context) => {
    if (missing !== '') throw new Error(`BULLA_INTEROP=required, but ${reason}`);
    await body(found as unknown as { readonly [K in keyof Names]: string }, context);
  });
}

/**
 * Runs a client to its end, whatever its exit code. It gets nothing of this machine's settings, and a proxy that refuses everything
 * but loopback: no test may talk to the world by way of a client's defaults.
 */
export async function runClient(program: string, args: readonly string[], options: ClientOptions): Promise<ClientRun> {
  const { home, env, input = '', timeout = 60_000 } = options;
  const child = spawn(program, args, { cwd: home, env: { ...isolated(home), ...env }, timeout, stdio: 'pipe' });
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (status) => resolve(status ?? -1));
    }),
  ]);
  return { code, stdout, stderr };
}

/** An environment in which podman, buildah and skopeo keep everything below `home` and need no overlay file system. */
export function containersEnvironment(home: string): Readonly<Record<string, string>> {
  const folder = join(home, 'containers');
  mkdirSync(folder, { recursive: true });
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const storage = `[storage]\ndriver = "vfs"\ngraphroot = "${join(folder, 'graph')}"\nrunroot = "${join(folder, 'run')}"\n`;
  return {
    CONTAINERS_STORAGE_CONF: file('storage.conf', storage),
    CONTAINERS_REGISTRIES_CONF: file('registries.conf', 'unqualified-search-registries = []\n'),
    CONTAINERS_CONF: file('containers.conf', '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'),
    BUILDAH_ISOLATION: 'chroot',
    REGISTRY_AUTH_FILE: file('auth.json', '{}\n'), // named, it must be there
    XDG_RUNTIME_DIR: folder,
  };
}

function isolated(home: string): Record<string, string> {
  const nowhere = 'http://127.0.0.1:9'; // the discard port: nobody listens
  const local = 'localhost,127.0.0.1,::1';
  return {
    PATH: `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin`,
    HOME: home,
    TMPDIR: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: local,
    http_proxy: nowhere,
    https_proxy: nowhere,
    no_proxy: local,
  };
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
