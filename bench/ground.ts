// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleCommandLine } from '../build/bundle.ts';
import type { StackEndpoints } from '../src/up/index.ts';
import { findClient } from '../test/interop/clients.ts';

/** What the benches stand on: a fresh folder, the programs, and what was started for them. */
export class Ground {
  readonly root: string = join(import.meta.dirname, '..');
  readonly folder: string = mkdtempSync(join(tmpdir(), 'bulla-bench-'));
  readonly node: string = process.execPath;
  /** the command as npm installs it, to be given to `node` */
  readonly script: string = join(this.folder, 'cli/main.js');
  /** the release binary */
  readonly binary: string = join(this.root, 'dist/bulla');
  readonly cosign: string | undefined = findClient('cosign-3');
  /** nothing of this machine's settings, and no way out: the proxies are a port where nobody listens */
  readonly env: Readonly<Record<string, string>> = {
    PATH: process.env['PATH'] ?? '',
    HOME: this.folder,
    COSIGN_PASSWORD: 'bench',
    HTTP_PROXY: 'http://127.0.0.1:9',
    HTTPS_PROXY: 'http://127.0.0.1:9',
    NO_PROXY: 'localhost,127.0.0.1',
  };
  readonly #children: ChildProcess[] = [];

  /** Builds what is measured: the command line as the npm package has it, and the release binary. @throws Error */
  async build(): Promise<void> {
    writeFileSync(join(this.folder, 'package.json'), '{ "type": "module" }');
    await bundleCommandLine(join(this.folder, 'cli'));
    const { status, stdout, stderr } = spawnSync(this.node, ['build/binary.ts'], { cwd: this.root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`build/binary.ts ended with ${status}: ${stdout}${stderr}`);
  }

  /** Runs the release binary to its end and answers its stdout. @throws Error with its stderr where it fails */
  bulla(...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(this.binary, args, {
      cwd: this.folder,
      env: this.env,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`bulla ${args.join(' ')} ended with ${status}: ${stderr}`);
    return stdout;
  }

  /** Starts a program that serves until `clear`. */
  start(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { cwd: this.folder, env: this.env, stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  /** Starts `bulla registry serve` as npm installs it. @returns its `host:port` */
  async registry(name: string): Promise<string> {
    const { registry } = await this.#serve<{ readonly registry: string }>(['registry', 'serve'], name);
    return new URL(registry).host;
  }

  /** Starts `bulla up` as npm installs it. @returns where everything is, and its data directory */
  async stack(name: string): Promise<StackEndpoints & { readonly data: string }> {
    return { ...(await this.#serve<StackEndpoints>(['up'], name)), data: join(this.folder, name) };
  }

  async #serve<Ready>(command: readonly string[], name: string): Promise<Ready> {
    const ready = join(this.folder, `${name}.json`);
    const where = ['--address', '127.0.0.1:0', '--data', join(this.folder, name), '--ready-file', ready];
    this.start(this.node, [this.script, ...command, ...where]);
    await until(() => existsSync(ready), `bulla ${command.join(' ')}`);
    return JSON.parse(readFileSync(ready, 'utf8')) as Ready;
  }

  /** A folder to make an image of. @param seed what makes its content differ from others */
  service(seed: string): string {
    const path = join(this.folder, `service-${seed}`);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'index.html'), `hello from ${seed}\n`);
    return path;
  }

  /** Ends what was started and removes the folder. */
  async clear(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        child.once('exit', () => resolve());
        child.kill();
        await promise;
      }),
    );
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits up to ten seconds. @throws Error naming what did not come */
export async function until(there: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await there()) return;
    await sleep(50);
  }
  throw new Error(`${what} was not ready within 10 s`);
}
