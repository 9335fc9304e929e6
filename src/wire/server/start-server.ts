// SPDX-License-Identifier: Apache-2.0
import { chmod, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { WireError } from '../wire-error.ts';
import { listen, renewTls } from './listen.ts';
import { Listener } from './listener.ts';
import type { RunningServer, ServeOptions, ServerLimits, ServeSocketOptions } from './serve.ts';

const LIMITS: ServerLimits = {
  connections: 2048,
  headersMs: 15_000,
  idleMs: 60_000,
  closeMs: 10_000,
};

/** As `serve`, whose other half this is. */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const { listener, limits } = makeListener(options);
  const { host, port, tls } = options;
  let server = await listen(listener, { place: { host, port }, tls, ...limits });
  const address = { host, port: portOf(server) };
  return {
    address,
    async renewTls(material) {
      if (tls === undefined)
        throw new WireError('tls-malformed', 'the server does not speak TLS, so that it has no certificate to change');
      if (renewTls(server, material)) return;
      // Bun takes the certificate with which a server began: what is open goes on, and another listens in its place.
      server.close();
      server = await listenAgain(listener, { place: address, tls: { material }, ...limits });
    },
    close: () => stop(server, listener, limits.closeMs),
  };
}

const ATTEMPTS = 50;

/** The address is free some moments after the server before has let it go. */
async function listenAgain(listener: Listener, options: Parameters<typeof listen>[1]): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listen(listener, options);
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }
}

/** As `serveSocket`, whose other half this is. */
export async function startSocketServer(options: ServeSocketOptions): Promise<Pick<RunningServer, 'close'>> {
  const { listener, limits } = makeListener(options);
  const { socket } = options;
  await rm(socket, { force: true });
  const server = await listen(listener, { place: { socket }, ...limits });
  await chmod(socket, 0o600);
  return { close: () => stop(server, listener, limits.closeMs) };
}

function makeListener(options: ServeOptions | ServeSocketOptions): { listener: Listener; limits: ServerLimits } {
  const limits = { ...LIMITS, ...options.limits };
  const traffic = { idleMs: limits.idleMs, graceMs: 30_000, bytesPerSecond: 1024, drainBytes: 16 * 1024 * 1024 };
  return { listener: new Listener(options.service, traffic, options.log ?? (() => {})), limits };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') {
    throw new WireError('listen-failed', 'the server has no address');
  }
  return address.port;
}

/** Lets requests under way end for a while, then ends them, and connections that ask nothing. */
async function stop(server: Server, listener: Listener, waitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const hurry = setTimeout(resolve, waitMs);
  await Promise.race([listener.close(), late]);
  clearTimeout(hurry);
  server.closeAllConnections();
  await closed;
}
