// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BULLA, keyFile, Lab, pushImages, succeed, type LabRegistry } from '../interop/lab.ts';
import { findClient, runClient, type ClientRun } from '../interop/clients.ts';
import { pod, type KubeObject } from './kube-objects.ts';
import { labGate, type LabGate } from './lab-gate.ts';

const TOOL = join(import.meta.dirname, '..', 'tools', 'kube-apiserver');

/** Where the API server is installed. */
export function installedAt(): string | undefined {
  const { status, stdout } = spawnSync(TOOL, ['where'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** The namespace of the gate in these tests, and its name. */
export const GATE_NAMESPACE = 'bulla-system';
export const GATE_NAME = 'bulla-gate';

/** The key that seals images in these tests. */
export const SIGNING_KEY: string = keyFile('cosign.key');
export const OTHER_PUBLIC_KEY: string = readFileSync(keyFile('wrong.pub'), 'utf8');

/** A real API server with a registry, and gates that are registered with it by our own manifests. */
export class KubeLab {
  readonly lab: Lab = new Lab();
  readonly #gates: LabGate[] = [];
  readonly #home: string;
  readonly #state: string;
  readonly #port: number;
  #registry: LabRegistry | undefined;
  #kubeconfig: string | undefined;

  private constructor(home: string, port: number) {
    this.#home = home;
    this.#port = port;
    this.#state = join(this.lab.folder(), 'state');
  }

  /** Starts the API server (5 s) and a registry. */
  static async start(): Promise<KubeLab> {
    const home = installedAt();
    if (home === undefined) throw new Error('the API server is not installed: run test/tools/kube-apiserver install');
    const kube = new KubeLab(home, await freePort(3));
    process.once('exit', () => kube.#down());
    const up = spawnSync(TOOL, ['up', kube.#state, String(kube.#port)], { encoding: 'utf8', timeout: 120_000 });
    assert.equal(up.status, 0, up.stderr);
    kube.#registry = await kube.lab.serveBulla();
    return kube;
  }

  /** `localhost:PORT` of the registry. */
  get registry(): LabRegistry {
    assert.ok(this.#registry !== undefined);
    return this.#registry;
  }

  /** The kubeconfig of an administrator. */
  get adminConfig(): string {
    return join(this.#state, 'kubeconfig');
  }

  get server(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** Runs kubectl as an administrator. */
  async kubectl(args: readonly string[], input?: unknown): Promise<ClientRun> {
    const home = this.lab.folder();
    const given = input === undefined ? {} : { input: JSON.stringify(input) };
    return await runClient(join(this.#home, 'bin', 'kubectl'), ['--kubeconfig', this.adminConfig, ...args], {
      home,
      ...given,
    });
  }

  /** Runs kubectl, which must succeed. @returns what it printed */
  async does(args: readonly string[], input?: unknown): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, input);
    assert.equal(code, 0, `kubectl ${args.join(' ')}\n${stderr}`);
    return stdout;
  }

  /** Runs kubectl, which must be refused. @returns the reason */
  async refused(args: readonly string[], input?: unknown): Promise<string> {
    const { code, stdout, stderr } = await this.kubectl(args, input);
    assert.notEqual(code, 0, `kubectl ${args.join(' ')} was admitted: ${stdout}`);
    return stderr;
  }

  async create(object: KubeObject, ...flags: readonly string[]): Promise<string> {
    return await this.does(['create', ...flags, '--filename', '-'], object);
  }

  async apply(...objects: readonly KubeObject[]): Promise<void> {
    await this.does(['apply', '--filename', '-'], { apiVersion: 'v1', kind: 'List', items: objects });
  }

  /** A field of an object, as kubectl's JSONPath prints it. */
  async field(object: string, path: string, namespace = 'default'): Promise<string> {
    return await this.does(['get', object, '--namespace', namespace, '--output', `jsonpath={${path}}`]);
  }

  /** Waits until something holds. */
  async until(what: string, holds: () => Promise<boolean>, seconds = 20): Promise<void> {
    for (const end = performance.now() + seconds * 1000; performance.now() < end; await sleep(100))
      if (await holds()) return;
    assert.fail(`not within ${seconds} s: ${what}`);
  }

  /** Pushes an image to a repository of its own. @returns `localhost:PORT/path:single` */
  async image(path: string, registry: LabRegistry = this.registry): Promise<string> {
    return `${await pushImages(registry, path)}:single`;
  }

  /** An image that bulla has sealed. */
  async sealed(path: string): Promise<string> {
    const image = await this.image(path);
    await succeed(BULLA, ['sign', '--key', SIGNING_KEY, image], this.lab.folder(), { COSIGN_PASSWORD: 'pw' });
    return image;
  }

  /** An image that a real cosign has sealed. */
  async sealedByCosign(path: string, name: 'cosign-2' | 'cosign-3'): Promise<string> {
    const image = await this.image(path);
    const program = findClient(name);
    assert.ok(program !== undefined, `${name} is not here`);
    const flags = ['--tlog-upload=false', '--yes', ...(name === 'cosign-3' ? ['--use-signing-config=false'] : [])];
    await succeed(program, ['sign', '--key', SIGNING_KEY, ...flags, image], this.lab.folder(), {
      COSIGN_PASSWORD: 'pw',
    });
    return image;
  }

  /** Installs what `bulla admission install --url` prints, and waits until its resources are served. */
  async install(port: number, flags: readonly string[] = []): Promise<void> {
    const url = `https://127.0.0.1:${port}`;
    const printed = await this.lab.bulla(['admission', 'install', '--json', '--url', url, ...flags]);
    assert.equal(printed.code, 0, printed.stderr);
    await this.does(['apply', '--filename', '-'], JSON.parse(printed.stdout));
    await this.does(['wait', '--for', 'condition=Established', '--timeout', '20s', 'crd', '--all']);
  }

  /** A kubeconfig of the gate's own service account, which may do what the printed roles say and nothing else. */
  async gateConfig(): Promise<string> {
    if (this.#kubeconfig !== undefined) return this.#kubeconfig;
    const path = `/api/v1/namespaces/${GATE_NAMESPACE}/serviceaccounts/${GATE_NAME}/token`;
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const made = await this.does(['create', '--raw', path, '--filename', '-'], request);
    const { status } = JSON.parse(made) as { readonly status: { readonly token: string } };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'c',
          cluster: { server: this.server, 'certificate-authority': join(this.#state, 'certs', 'apiserver.crt') },
        },
      ],
      users: [{ name: 'gate', user: { token: status.token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'gate', namespace: GATE_NAMESPACE } }],
      'current-context': 'x',
    };
    this.#kubeconfig = join(this.lab.folder(), 'gate.kubeconfig');
    writeFileSync(this.#kubeconfig, JSON.stringify(config), { mode: 0o600 });
    return this.#kubeconfig;
  }

  /** Starts a gate at a port, by its own service account, and waits until it is ready. */
  async serve(port: number, flags: readonly string[] = [], url = `https://127.0.0.1:${port}`): Promise<LabGate> {
    const ready = join(this.lab.folder(), 'ready.json');
    const args = ['admission', 'serve', '--kubeconfig', await this.gateConfig(), '--webhook-url', url];
    const fixed = ['--address', `127.0.0.1:${port}`, '--metrics-address', '', '--exclude-namespace', 'kube-system'];
    const child = spawn(BULLA, [...args, ...fixed, '--certificate-overlap', '2s', '--ready-file', ready, ...flags], {
      cwd: this.lab.folder(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const gate = labGate(child, port);
    this.#gates.push(gate);
    await this.until(
      'the gate serves',
      async () => {
        assert.equal(child.exitCode, null, JSON.stringify(gate.log()));
        return existsSync(ready);
      },
      40,
    );
    await gate.said(({ message }) => message.startsWith('policies:'));
    return gate;
  }

  /** Waits until both webhook configurations carry a certificate bundle, and the API server uses it. */
  async gated(image = 'localhost:1/never:1'): Promise<void> {
    await this.until('the gate is asked', async () => {
      const { stderr } = await this.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('probe', image));
      return stderr.includes('denied the request');
    });
  }

  /** Installs and starts a gate. */
  async gate(flags: readonly string[] = []): Promise<LabGate> {
    const port = await freePort();
    await this.install(
      port,
      flags.filter((flag) => flag.startsWith('--mutate') || flag.startsWith('--webhook')),
    );
    const gate = await this.serve(port, flags);
    await this.gated();
    return gate;
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const gate of this.#gates) await gate.stop();
    // Nothing of it is kept, and an API server that is asked to end waits for its watches.
    const pids = this.#pids();
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    await this.until('the API server ended', async () => pids.every((pid) => !isAlive(pid)), 30);
    rmSync(this.#state, { recursive: true, force: true });
    await this.lab.close();
  }

  #pids(): readonly number[] {
    return ['controllers', 'apiserver', 'etcd'].flatMap((name) => {
      const file = join(this.#state, `${name}.pid`);
      return existsSync(file) ? [Number(readFileSync(file, 'utf8'))] : [];
    });
  }

  #down(): void {
    if (existsSync(this.#state)) spawnSync(TOOL, ['down', this.#state]);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A port that is free now, and as many after it. */
export async function freePort(count = 1): Promise<number> {
  for (;;) {
    const first = await tryPort(0);
    const rest = await Promise.all(Array.from({ length: count - 1 }, (_, at) => tryPort(first + at + 1)));
    if (rest.every((port) => port !== 0) && first + count < 65_536) return first;
  }
}

async function tryPort(port: number): Promise<number> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  } catch {
    return 0;
  } finally {
    server.close();
  }
}
