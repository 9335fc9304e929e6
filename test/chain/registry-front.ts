// SPDX-License-Identifier: Apache-2.0
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that came, and what was answered. */
export interface FrontRequest {
  readonly method: string;
  /** path and query */
  readonly path: string;
  /** 0 while there is no answer */
  readonly status: number;
}

/** Answers a request in place of the registry; false lets it through. `times` counts the requests of this method and path, from 1. */
export type Answer = (request: IncomingMessage, response: ServerResponse, times: number) => boolean;

/** What a front does besides counting. */
export interface FrontOptions {
  /** false hides the referrers API, as registries do that do not have it; such registries know no conditions either */
  readonly referrersApi?: boolean;
  readonly answer?: Answer;
}

/** Stands before a registry, counts what is asked and may answer in its place. */
export interface RegistryFront extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly requests: readonly FrontRequest[];
  /** what is asked from now on is answered so */
  answer: Answer;
  /** forgets the requests so far */
  forget(): void;
}

/** Opens a front on loopback. @param origin the registry's */
export async function openFront(origin: string, options: FrontOptions = {}): Promise<RegistryFront> {
  const requests: { method: string; path: string; status: number }[] = [];
  const hidden = options.referrersApi === false;
  const server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '' } = incoming;
    const entry = { method, path, status: 0 };
    requests.push(entry);
    outgoing.on('finish', () => (entry.status = outgoing.statusCode));
    outgoing.on('error', () => undefined);
    incoming.on('error', () => undefined);
    const times = requests.filter((other) => other.method === method && other.path === path).length;
    if (front.answer(incoming, outgoing, times)) return;
    if (hidden && path.includes('/referrers/')) {
      outgoing.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
      return;
    }
    pass(origin, incoming, outgoing, hidden);
  });
  const front: RegistryFront & { host: string } = {
    host: '',
    requests,
    answer: options.answer ?? (() => false),
    forget: () => void requests.splice(0),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  front.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return front;
}

function pass(origin: string, incoming: IncomingMessage, outgoing: ServerResponse, plain: boolean): void {
  const { host: _host, connection: _connection, ...headers } = incoming.headers;
  if (plain) {
    delete headers['if-match'];
    delete headers['if-none-match'];
  }
  const asked = forward(new URL(incoming.url ?? '/', origin), { method: incoming.method, headers }, (answer) => {
    const told = { ...answer.headers };
    if (plain) {
      delete told['oci-subject'];
      delete told.etag;
    }
    outgoing.writeHead(answer.statusCode ?? 502, told);
    answer.pipe(outgoing);
  });
  asked.on('error', () => outgoing.destroy());
  outgoing.on('close', () => asked.destroy());
  incoming.pipe(asked);
}
