// SPDX-License-Identifier: Apache-2.0
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { TlsMaterial } from '../src/wire/index.ts';
import type { AdmissionCount, AdmissionLoad } from './admission-load.ts';
import type { ServerTask, ServerUsage } from './admission-server.ts';

/** as the chart runs it: the runtime collects garbage before its memory is large, not after */
const RUNTIME = ['--expose-gc', '--max-old-space-size=192', '--max-semi-space-size=4'];

/** What the server's process runs. */
let program = '';

/**
 * Makes the program without types, whose removal takes 35 MiB that the process keeps: the package has none. It lies where its packages are
 * found from.
 */
export async function prepareServer(stack: AsyncDisposableStack): Promise<void> {
  const outdir = mkdtempSync(join(import.meta.dirname, '../node_modules/.bench-'));
  stack.defer(() => rmSync(outdir, { recursive: true, force: true }));
  const entryPoints = [join(import.meta.dirname, 'admission-server.ts')];
  const options = { bundle: true, splitting: true, packages: 'external', platform: 'node', format: 'esm' } as const;
  await build({ entryPoints, outdir, outExtension: { '.js': '.mjs' }, logLevel: 'error', ...options });
  program = join(outdir, 'admission-server.mjs');
}

/** A task, to which the certificate is still to be added. */
export type Untold = ServerTask extends infer Task ? (Task extends unknown ? Omit<Task, 'tls'> : never) : never;

/** Nobody checks it; made once. */
let certificate: TlsMaterial | undefined;

function makeCertificate(): TlsMaterial {
  const wanted = [
    '-subj',
    '/CN=localhost',
    '-days',
    '3',
    '-nodes',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
  ];
  const made = spawnSync('openssl', ['req', '-x509', '-keyout', '-', '-out', '-', ...wanted], { encoding: 'utf8' });
  const [key] = /-----BEGIN PRIVATE KEY-----[\s\S]+?-----END PRIVATE KEY-----\n/.exec(made.stdout) ?? [];
  const [cert] = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----\n/.exec(made.stdout) ?? [];
  if (key === undefined || cert === undefined) throw new Error(`openssl made no certificate: ${made.stderr}`);
  return { cert, key };
}

/** A server in a process of its own. */
export class Server {
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#process = child;
    this.port = port;
  }

  static async start(task: Untold): Promise<Server> {
    const child = fork(program, { execArgv: RUNTIME });
    child.send({ ...task, tls: (certificate ??= makeCertificate()) });
    const { port } = (await reply(child)) as { port: number };
    return new Server(child, port);
  }

  async usage(): Promise<ServerUsage> {
    this.#process.send('usage');
    return (await reply(this.#process)) as ServerUsage;
  }

  async ask(load: Omit<AdmissionLoad, 'port' | 'path'> & { readonly path?: string }): Promise<AdmissionCount> {
    const client = fork(join(import.meta.dirname, 'admission-load.ts'));
    client.send({ path: '/validate?timeout=30s', ...load, port: this.port } satisfies AdmissionLoad);
    return (await reply(client)) as AdmissionCount;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.disconnect();
    await new Promise((done) => this.#process.once('exit', done));
  }
}

async function reply(child: ChildProcess): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const ended = (code: number | null): void => reject(new Error(`a process ended with ${code}`));
  child.once('exit', ended);
  child.once('message', (message) => {
    child.off('exit', ended);
    resolve(message);
  });
  return promise;
}
