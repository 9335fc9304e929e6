// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import {
  FULCIO,
  openSigstoreDouble,
  REKOR,
  REKOR2,
  TSA,
  type SigstoreDouble,
} from '../keyless/sigstore-double.fixture.ts';
import { encodeTrustedRoot } from '../trust/index.ts';
import { readBody } from '../wire/index.ts';

// The double of a sigstore, on a port of this machine: what a command line needs to be tested as it runs.

/** A sigstore on loopback. */
export interface SigstoreServices {
  readonly double: SigstoreDouble;
  readonly urls: { readonly fulcio: string; readonly rekor: string; readonly rekor2: string; readonly tsa: string };
  readonly trustedRoot: Uint8Array;
  /** `METHOD /path` of what was asked */
  readonly asked: string[];
  close(): Promise<void>;
}

const PLACES = { '/fulcio': FULCIO, '/rekor1': REKOR, '/rekor2': REKOR2, '/tsa': TSA };

/** @param tls serves over TLS */
export async function serveSigstoreDouble(tls?: ServerOptions): Promise<SigstoreServices> {
  const double = await openSigstoreDouble();
  const asked: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    answer(double, request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const scheme = tls === undefined ? 'http' : 'https';
  const at = (path: string): string => `${scheme}://127.0.0.1:${port}${path}`;
  return {
    double,
    urls: { fulcio: at('/fulcio'), rekor: at('/rekor1'), rekor2: at('/rekor2'), tsa: at('/tsa') },
    trustedRoot: encodeTrustedRoot(double.trustedRoot),
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(double: SigstoreDouble, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? '';
  const [prefix, target] = Object.entries(PLACES).find(([place]) => path.startsWith(place)) ?? [];
  if (prefix === undefined || target === undefined) return void response.writeHead(404).end();
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const headers = Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
  );
  await double.server.client.exchange(
    {
      method: request.method ?? 'GET',
      url: new URL(`${target}${path.slice(prefix.length)}`),
      headers,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    },
    async (answered) => {
      const body = await readBody(answered, 1024 * 1024, 'the answer');
      response.writeHead(answered.status, answered.headers).end(body);
    },
  );
}
