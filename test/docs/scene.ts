// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { serveRegistry } from '../../src/registry/index.ts';
import { startStack } from '../../src/up/index.ts';
import { findClient } from '../interop/clients.ts';
import type { SceneName } from './page.ts';

const BIN = join(import.meta.dirname, '..', '..', 'bin');
/** where pages have their services: the default of `up` and of `registry serve` */
const PORT = 5080;

/** A reader's machine: a home with the folder that the page is read in, and what the page needs to be there. */
export interface Scene extends AsyncDisposable {
  readonly work: string;
  /** what lies beside it and is not the reader's */
  readonly notes: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What a page says, as it is on this machine. */
  readonly toMachine: (text: string) => string;
  /** What this machine says, as it stands in a page. */
  readonly toPage: (text: string) => string;
}

/** Prepares a scene. @param clients real clients that the page uses; cosign in whatever version is called `cosign` there */
export async function openScene(name: SceneName, clients: readonly string[]): Promise<Scene> {
  await using opened = new AsyncDisposableStack();
  const root = mkdtempSync(join(tmpdir(), 'bulla-docs-'));
  opened.defer(() => rmSync(root, { recursive: true, force: true }));
  const [work, notes, bin] = ['ann', 'notes', 'bin'].map((folder) => join(root, folder)) as [string, string, string];
  for (const folder of [work, notes, bin]) mkdirSync(folder);
  for (const client of clients) link(client, bin);
  const port = await serviceFor(name, work, opened);
  const ours = opened.move();
  const local = /\b(localhost|127\.0\.0\.1):5080\b/g;
  return {
    work,
    notes,
    environment: environmentOf(work, bin),
    toMachine: (text) => text.replaceAll(local, `$1:${port}`).replaceAll('/home/ann', work),
    toPage: (text) =>
      text
        .replaceAll(new RegExp(String.raw`\b(localhost|127\.0\.0\.1):${port}\b`, 'g'), `$1:${PORT}`)
        .replaceAll(work, '/home/ann'),
    [Symbol.asyncDispose]: () => ours.disposeAsync(),
  };
}

async function serviceFor(name: SceneName, work: string, opened: AsyncDisposableStack): Promise<number> {
  if (name === 'none') return await freePort();
  const running =
    name === 'registry'
      ? await serveRegistry({ data: join(work, 'registry'), port: 0 })
      : await startStack({
          data: join(work, 'stack'),
          listen: { host: '127.0.0.1', port: 0 },
          onWarning: () => undefined,
        });
  opened.defer(() => running.close());
  return Number(new URL('url' in running ? running.url : running.endpoints.registry).port);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function link(client: string, bin: string): void {
  const program = findClient(client);
  const place = join(bin, client.replace(/^cosign-\d$/, 'cosign'));
  if (program !== undefined && !existsSync(place)) symlinkSync(program, place);
}

// Nothing of this machine's settings, and a proxy that refuses everything but loopback.
function environmentOf(home: string, bin: string): Readonly<Record<string, string>> {
  const nowhere = 'http://127.0.0.1:9';
  const local = 'localhost,127.0.0.1,::1';
  return {
    PATH: [bin, BIN, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
    HOME: home,
    TMPDIR: home,
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    HTTP_PROXY: nowhere,
    HTTPS_PROXY: nowhere,
    NO_PROXY: local,
    http_proxy: nowhere,
    https_proxy: nowhere,
    no_proxy: local,
  };
}
