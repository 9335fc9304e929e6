// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDigest, type Digest } from '../../src/oci/index.ts';
import type { StackEndpoints } from '../../src/up/index.ts';
import { Layout } from '../golden/layout.ts';
import { pushState } from '../golden/stage.ts';
import { GOLDEN } from '../golden/transcript.ts';
import { findClient, runClient, type ClientRun } from './clients.ts';

/** The command line of this checkout, as a user runs it. */
export const BULLA: string = join(import.meta.dirname, '..', '..', 'bin', 'bulla');

/** The password of every key in these tests. */
const PASSWORD = 'pw';

/** The images that the recordings are about too: one for a single platform, one for two. */
export const SINGLE: Digest = parseDigest('sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6');
export const MULTI: Digest = parseDigest('sha256:e7bc9a8b19fb579d7ebeca3b81747afd18a3b00e7633c8687dd342333dac0075');
export const ARM64: Digest = parseDigest('sha256:dbef6ad7dd83067e0f252360954058bdd82cf7f65ec066b28a23fac533dfc2de');

/** Where the image with both platforms, and the one with one, lie as a layout: tags `single` and `multi`. */
export const BASE_LAYOUT: string = join(GOLDEN, '_base');

/** Kinds of keys, by the name of their files in {@link keyFile}. */
export const KEY_KINDS = ['p256', 'p384', 'p521', 'rsa2048', 'rsa3072', 'rsa4096', 'ed25519'] as const;

/** A key of the recordings; `imp-p384.key` was encrypted by cosign, `p384.pem` is the same as OpenSSL wrote it. */
export function keyFile(name: string): string {
  return join(GOLDEN, '_keys', name);
}

/** A registry that runs for a test. */
export interface LabRegistry {
  /** `localhost:PORT` */
  readonly host: string;
  /** `http://localhost:PORT` or `https://localhost:PORT` */
  readonly origin: string;
  /** Asks it to end, and waits. @returns its exit code and what it wrote to stderr */
  stop(): Promise<{ readonly code: number | null; readonly stderr: string }>;
}

/** How a stack is started. */
export interface StackOptions {
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A signing stack that runs for a test. */
export interface LabStack extends LabRegistry {
  readonly endpoints: StackEndpoints;
  readonly data: string;
  readonly child: ChildProcess;
  /** what it wrote to stderr so far */
  written(): string;
  /** A token of its own issuer. @param claims `name=value` */
  token(subject: string, claims?: readonly string[]): Promise<string>;
}

/** What the tests of one file share: a folder, and what runs until they are through. */
export class Lab {
  readonly home: string = mkdtempSync(join(tmpdir(), 'bulla-interop-'));
  readonly #running: LabRegistry[] = [];
  #folders = 0;

  /** A fresh folder. */
  folder(): string {
    const path = join(this.home, `f${++this.#folders}`);
    mkdirSync(path);
    return path;
  }

  /** Runs bulla to its end. */
  async bulla(args: readonly string[], options: RunOptions = {}): Promise<ClientRun> {
    return await this.run(BULLA, args, options);
  }

  /** Runs any program to its end, with the password of the keys in its environment. */
  async run(program: string, args: readonly string[], options: RunOptions = {}): Promise<ClientRun> {
    const { home = this.folder(), env = {}, ...rest } = options;
    return await runClient(program, args, { home, env: { COSIGN_PASSWORD: PASSWORD, ...env }, ...rest });
  }

  /** Starts our registry by the command line. @param folder where it keeps its things; a fresh one unless told */
  async serveBulla(flags: readonly string[] = [], folder: string = this.folder()): Promise<LabRegistry> {
    const ready = join(this.folder(), 'ready.json');
    const args = [
      'registry',
      'serve',
      '--address',
      'localhost:0',
      '--data',
      join(folder, 'data'),
      '--ready-file',
      ready,
    ];
    const child = spawn(BULLA, [...args, ...flags], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    const written = collect(child);
    await until(() => existsSync(ready), child, written);
    const { registry } = JSON.parse(readFileSync(ready, 'utf8')) as { registry: string };
    const { protocol, port } = new URL(registry);
    return this.#register(child, written, `${protocol}//localhost:${port}`);
  }

  /** Starts the signing stack, with a registry, by the command line. @param folder where it keeps its things; a fresh one unless told */
  async serveStack(flags: readonly string[] = [], options: StackOptions = {}): Promise<LabStack> {
    const { folder = this.folder(), env = {} } = options;
    const ready = join(this.folder(), 'ready.json');
    const data = join(folder, 'data');
    const args = ['up', '--address', '127.0.0.1:0', '--data', data, '--ready-file', ready, ...flags];
    const child = spawn(BULLA, args, {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    const written = collect(child);
    await until(() => existsSync(ready), child, written);
    const endpoints = JSON.parse(readFileSync(ready, 'utf8')) as StackEndpoints;
    const registry = this.#register(child, written, endpoints.registry);
    const token = async (subject: string, claims: readonly string[] = []): Promise<string> => {
      const flagged = claims.flatMap((claim) => ['--claim', claim]);
      const made = await this.bulla(['token', '--data', data, '--subject', subject, ...flagged], { env });
      assert.equal(made.code, 0, made.stderr);
      return made.stdout.trim();
    };
    return { ...registry, endpoints, data, token, child, written };
  }

  /** Starts Debian's registry (distribution 2.8), which does not know the referrers API. */
  async serveDistribution(): Promise<LabRegistry> {
    const program = findClient('docker-registry');
    if (program === undefined) throw new Error('docker-registry is not here');
    const folder = this.folder();
    const config = join(folder, 'config.yml');
    const storage = `storage: {filesystem: {rootdirectory: ${JSON.stringify(join(folder, 'data'))}}}`;
    writeFileSync(config, `version: 0.1\nlog: {level: info}\n${storage}\nhttp: {addr: "127.0.0.1:0"}\n`);
    const child = spawn(program, ['serve', config], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const written = collect(child);
    const listening = /listening on 127\.0\.0\.1:(\d+)/;
    await until(() => listening.test(written()), child, written);
    return this.#register(child, written, `http://localhost:${listening.exec(written())?.[1] ?? ''}`);
  }

  /** Ends what runs and removes what was written. */
  async close(): Promise<void> {
    await Promise.all(this.#running.map((registry) => registry.stop()));
    rmSync(this.home, { recursive: true, force: true });
  }

  #register(child: ChildProcess, written: () => string, origin: string): LabRegistry {
    const registry: LabRegistry = {
      origin,
      host: new URL(origin).host,
      async stop() {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill('SIGTERM');
          await once(child, 'exit');
        }
        return { code: child.exitCode, stderr: written() };
      },
    };
    this.#running.push(registry);
    return registry;
  }
}

/** The two kinds of registries that seals are tried on; each is started when it is first asked for. */
export function bothKinds(lab: Lab): Readonly<Record<string, () => Promise<LabRegistry>>> {
  let ours: Promise<LabRegistry> | undefined;
  let old: Promise<LabRegistry> | undefined;
  return {
    'our registry': () => (ours ??= lab.serveBulla()),
    'a registry without the referrers API': () => (old ??= lab.serveDistribution()),
  };
}

/** How a program is run; a fresh folder is its home unless told. */
export interface RunOptions {
  readonly home?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/**
 * Pushes the images of the recordings to a repository, as `single` and `multi`.
 *
 * @returns the reference without tag and digest
 */
export async function pushImages(registry: LabRegistry, path: string): Promise<string> {
  const layout = new Layout(BASE_LAYOUT);
  const tags = new Map(layout.entries().map(({ tag = '', digest }) => [tag, digest]));
  await pushState(registry.origin, path, { path, tags, referrers: [] }, layout);
  return `${registry.host}/${path}`;
}

/** Runs a client, which must succeed. */
export async function succeed(
  program: string,
  args: readonly string[],
  home: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ClientRun> {
  const run = await runClient(program, args, { home, env });
  assert.equal(run.code, 0, `${args.join(' ')}\n${run.stderr}`);
  return run;
}

/** Everything that a manifest names is in the layout, byte for byte as it was before. */
export function sameContent(layout: Layout, digest: Digest): void {
  const base = new Layout(BASE_LAYOUT);
  const manifest = base.manifest(digest);
  assert.deepEqual(layout.blob(digest), base.blob(digest));
  for (const child of manifest.manifests ?? []) sameContent(layout, child.digest);
  for (const part of [manifest.config, ...(manifest.layers ?? [])]) {
    if (part !== undefined) assert.deepEqual(layout.blob(part.digest), base.blob(part.digest));
  }
}

/** The JSON elements that `verify` prints, of either program. */
export function elementsOf(run: ClientRun): readonly VerifiedElement[] {
  return JSON.parse(run.stdout) as readonly VerifiedElement[];
}

/** One element of what `verify` prints. */
export interface VerifiedElement {
  readonly critical: {
    readonly identity: { readonly 'docker-reference': string };
    readonly image: { readonly 'docker-manifest-digest': string };
    readonly type: string;
  };
  readonly optional: Readonly<Record<string, unknown>> | null;
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return () => text;
}

async function until(holds: () => boolean, child: ChildProcess, written: () => string): Promise<void> {
  for (let waited = 0; waited < 600; waited++) {
    if (holds()) return;
    if (child.exitCode !== null) break;
    await sleep(50);
  }
  child.kill('SIGKILL');
  throw new Error(`${child.spawnfile} did not start: ${written()}`);
}
