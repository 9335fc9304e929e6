// SPDX-License-Identifier: Apache-2.0
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { SERVER_CERTIFICATE, SERVER_KEY, TEST_ROOT } from './certificates.fixture.ts';

/** A server on 127.0.0.1 that ends, with all its connections, at the end of the block. */
export interface LoopbackServer extends AsyncDisposable {
  readonly port: number;
  readonly url: URL;
  /** `METHOD path` of all requests so far */
  readonly requests: string[];
  /** how many connections were made */
  connections(): number;
}

/** Starts a server whose requests are counted. A handler that throws fails the request. */
export async function serve(handler: http.RequestListener): Promise<LoopbackServer> {
  return start(http.createServer(), 'http', handler);
}

/** As `serve`, over TLS; takes client certificates and does not demand them. */
export async function serveTls(handler: http.RequestListener): Promise<LoopbackServer> {
  const options = {
    cert: SERVER_CERTIFICATE,
    key: SERVER_KEY,
    ca: TEST_ROOT,
    requestCert: true,
    rejectUnauthorized: false,
  };
  return start(https.createServer(options), 'https', handler);
}

async function start(
  server: http.Server | https.Server,
  scheme: string,
  handler: http.RequestListener,
): Promise<LoopbackServer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
  });
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    response.on('error', () => undefined);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: new URL(`${scheme}://127.0.0.1:${port}/`),
    requests,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
