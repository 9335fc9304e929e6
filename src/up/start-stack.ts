// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { demandProtection, openRegistry } from '../registry/index.ts';
import type { OpenedStack } from '../stack/index.ts';
import { disk, openDataDirectory, writeDurably } from '../store/index.ts';
import { json, serve, serveSocket, type Service } from '../wire/index.ts';
import { backUp } from './back-up.ts';
import { ENVIRONMENT_FILES, PUBLIC_FOLDER, stackEndpoints, type StackEndpoints } from './endpoints.ts';
import { healthService } from './health.ts';
import { demandShortPath, instructionService, instructionSocket } from './instructions.ts';
import { isThere } from './is-there.ts';
import { openConfiguredStack } from './open-configured-stack.ts';
import { readSettings, SETTINGS_FILE, writeSettings } from './recorded-settings.ts';
import { routed } from './routes.ts';
import { placeOf, settingsOf } from './settle-settings.ts';
import { stackInstructions, type TrustAnchor } from './stack-instructions.ts';
import type { StartStackOptions } from './start-options.ts';
import { UpError } from './up-error.ts';

/** A stack that serves. */
export interface RunningStack {
  readonly endpoints: StackEndpoints;
  /** keys were made */
  readonly firstStart: boolean;
  /** With what clients begin to trust it, as it is now: a rotation changes the root. */
  trustAnchor(): TrustAnchor;
  /** The rules in force, one line each. */
  rules(): readonly string[];
  /** Variables by which cosign 2 trusts the stack without `initialize`. */
  cosign2Environment(): readonly (readonly [name: string, value: string])[];
  /** Takes no more requests, finishes those under way, closes what it opened. */
  close(): Promise<void>;
}

const TICK_MS = 60 * 60 * 1000;
const REGISTRY_FOLDER = 'registry';

/**
 * Starts the signing stack and a registry on one port.
 *
 * The life of a start:
 *
 *     1. the data directory is locked                        another process on it: nothing happens
 *     2. the port is open, and answers 503
 *     3. the first start records where clients reach it      from here on every start says the same
 *     4. keys, logs, certificates and the TUF repository are opened, or made; what is due is published
 *     5. files for clients are written
 *     6. the port answers
 *
 * @throws UpError, RegistryServeError `listen-refused`, WireError `listen-failed`, StoreError `in-use`, and as `openStack` and `openRegistry`
 * @example
 * const stack = await startStack({ data: './stack', onWarning: console.error });
 */
export async function startStack(options: StartStackOptions): Promise<RunningStack> {
  const { data, tls, onWarning, log, now = () => new Date() } = options;
  await using opened = new AsyncDisposableStack();
  const directory = await openDataDirectory(data);
  opened.defer(() => directory.release());
  options.onOwned?.();
  const settingsFile = join(data, SETTINGS_FILE);
  const recorded = await readSettings(settingsFile);
  const served = await hasServed(data);
  if (recorded === undefined && (served || (await isThere(join(data, 'keys'))))) throw lostSettings(settingsFile);
  demandShortPath(instructionSocket(directory.path));
  const { host, port } = placeOf(options, recorded);
  demandProtection('the stack', { ...options, host });
  const door = new Door();
  const server = await serve({ service: door, host, port, tls, log });
  opened.defer(() => server.close());
  const settings = settingsOf(options, recorded, server);
  if (recorded === undefined) await writeSettings(settingsFile, settings);
  const stack = await openConfiguredStack(options, settings, { now, served });
  opened.defer(() => stack.close());
  const registry = await openRegistry({
    data: join(data, REGISTRY_FOLDER),
    htpasswd: options.htpasswd,
    writeOnce: options.writeOnce,
    mutable: options.mutable,
    onWarning,
  });
  opened.defer(() => registry.close());
  registry.reachedAt(new URL(settings.url).host);
  const endpoints = stackEndpoints(settings.url, join(data, PUBLIC_FOLDER));
  const trustAnchor = (): TrustAnchor => anchorOf(endpoints.tuf, stack.publicFiles().get('root.json'));
  const write = publisher(stack, data);
  await write();
  let announced = trustAnchor().rootChecksum;
  const publish = async (): Promise<void> => {
    await write();
    const anchor = trustAnchor();
    if (anchor.rootChecksum !== announced) options.onNewRoot?.(anchor);
    announced = anchor.rootChecksum;
  };
  const health = healthService(() => stack.troubles());
  const instructions = await serveSocket({
    socket: instructionSocket(data),
    service: instructionService(
      stackInstructions(stack, {
        published: publish,
        trustAnchor,
        backUp: (to) => backUp({ data, to, stack, registry, now: now() }),
      }),
    ),
  });
  opened.defer(() => instructions.close());
  const ticking = setInterval(() => {
    tick(stack, publish, onWarning).catch((error: unknown) => onWarning(`re-signing: ${messageOf(error)}`));
  }, TICK_MS).unref();
  opened.defer(() => clearInterval(ticking));
  await tick(stack, publish, onWarning);
  door.open(
    routed([
      ...stack.routes,
      { path: '/v2/', service: registry.service },
      { path: '/v2', service: registry.service },
      { path: '/healthz', service: health },
      { path: '/readyz', service: health },
    ]),
  );
  const running = opened.move();
  return {
    endpoints,
    firstStart: recorded === undefined,
    trustAnchor,
    rules: () => stack.describeRules(),
    cosign2Environment: () => ENVIRONMENT_FILES.map(([name, file]) => [name, join(data, PUBLIC_FOLDER, file)] as const),
    // The port first: requests that are under way need everything else.
    async close() {
      await server.close();
      await running.disposeAsync();
    },
  };
}

/** What is served while the rest is opened, and then the rest. */
class Door implements Service {
  #behind: Service | undefined;

  open(service: Service): void {
    this.#behind = service;
  }

  readonly answer: Service['answer'] = async (call) =>
    this.#behind === undefined
      ? json({ code: 'starting', message: 'the stack is starting' }, { 'retry-after': '1' }, 503)
      : await this.#behind.answer(call);

  readonly fault: Service['fault'] = (error) => this.#behind?.fault(error) ?? json({ code: 'failed' }, {}, 500);
}

/** Writes the files for clients, each whole; one writing at a time, as two would use the same temporary files. */
function publisher(stack: OpenedStack, data: string): () => Promise<void> {
  const folder = join(data, PUBLIC_FOLDER);
  let writing: Promise<unknown> = Promise.resolve();
  const write = async (): Promise<void> => {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await writeDurably(disk, folder, stack.publicFiles());
  };
  return async () => {
    const mine = writing.catch(() => undefined).then(write);
    writing = mine;
    await mine;
  };
}

async function tick(
  stack: OpenedStack,
  publish: () => Promise<void>,
  onWarning: (message: string) => void,
): Promise<void> {
  for (const warning of await stack.tick()) onWarning(warning);
  await publish();
}

// By its number, under which it stays for ever: clients that begin with a root that was replaced since follow to the newest.
function anchorOf(mirror: string, root: Uint8Array = new Uint8Array()): TrustAnchor {
  const { signed } = JSON.parse(Buffer.from(root).toString()) as { readonly signed: { readonly version: number } };
  const rootChecksum = createHash('sha256').update(root).digest('hex');
  return { mirror, root: `${mirror}/${signed.version}.root.json`, rootChecksum };
}

/** Whether a start has come so far that clients may know the stack: then nothing that is missing is made anew. */
async function hasServed(data: string): Promise<boolean> {
  return await isThere(join(data, PUBLIC_FOLDER, 'root.json'));
}

function lostSettings(path: string): UpError {
  return new UpError(
    'settings-malformed',
    `${path} is gone, and the keys of a stack are there: bring it back from a backup; without it clients would be told of another address`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
