// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { WireError } from '../wire-error.ts';
import type { Call, Reply } from './call.ts';
import { Listener, type AnsweredRequest, type TrafficLimits } from './listener.ts';

interface Served {
  readonly port: number;
  readonly log: AnsweredRequest[];
}

/** Serves an answer on a free port for the time of a test. */
async function serving(
  answer: (call: Call) => Promise<Reply>,
  use: (served: Served) => Promise<void>,
  limits: Partial<TrafficLimits> = {},
): Promise<void> {
  const log: AnsweredRequest[] = [];
  const traffic = { idleMs: 5000, graceMs: 5000, bytesPerSecond: 1, drainBytes: 100_000, ...limits };
  const listener = new Listener({ answer, fault }, traffic, (request) => log.push(request));
  const server: Server = createServer({ requestTimeout: 0 }, listener.onRequest);
  server.on('checkContinue', listener.onCheckContinue);
  server.on('timeout', listener.onTimeout);
  server.timeout = traffic.idleMs;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use({ port: (server.address() as AddressInfo).port, log });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** A raw connection: what it got so far, and waiting for more. */
class Raw {
  readonly socket: Socket;
  got = '';
  closed = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => (this.got += chunk.toString('latin1')));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => (this.closed = true));
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const gather = async (call: Call): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of call.body) chunks.push(chunk);
  return Buffer.concat(chunks);
};
const fault = (error: unknown): Reply => ({
  status: error instanceof WireError ? 400 : 500,
  headers: {},
  body: error instanceof WireError ? error.code : 'failed',
});
const OK: Reply = { status: 200, headers: {}, body: 'ok' };

describe('a listener', () => {
  test('hands on method, target, headers and body, and sends what is answered, keeping the connection', async () => {
    const seen: string[] = [];
    await serving(
      async (call) => {
        seen.push(`${call.method} ${call.target} ${String(call.headers['x-a'])} ${(await gather(call)).toString()}`);
        return { status: 201, headers: { 'x-b': 'c' }, body: 'done' };
      },
      async ({ port, log }) => {
        const raw = new Raw(port);
        for (let at = 1; at <= 2; at++) {
          raw.send('PUT /v2/x?y=z HTTP/1.1\r\nHost: h\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello');
          await raw.until(() => raw.got.split('done').length === at + 1);
        }
        assert.deepEqual(seen, ['PUT /v2/x?y=z b hello', 'PUT /v2/x?y=z b hello']);
        assert.match(raw.got, /^HTTP\/1\.1 201 Created\r\n/);
        assert.match(raw.got, /\r\nx-b: c\r\n/);
        assert.match(raw.got, /\r\ncontent-length: 4\r\n/);
        assert.deepEqual(
          log.map(({ method, path, status, address }) => `${method} ${path} ${status} ${address}`),
          ['PUT /v2/x 201 127.0.0.1', 'PUT /v2/x 201 127.0.0.1'],
        );
        raw.socket.destroy();
      },
    );
  });

  test('sends a HEAD no body, but its length', async () => {
    await serving(
      async () => OK,
      async ({ port }) => {
        const raw = new Raw(port);
        raw.send('HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
        await raw.until(() => raw.closed);
        assert.match(raw.got, /content-length: 2\r\n/);
        assert.ok(raw.got.endsWith('\r\n\r\n'));
      },
    );
  });

  test('tells a client whose body nobody wants, and goes on with the connection if the body was small', async () => {
    await serving(
      async () => ({ status: 403, headers: {}, body: 'no' }),
      async ({ port }) => {
        const raw = new Raw(port);
        raw.send(`PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(50_000)}`);
        await raw.until(() => raw.got.includes('no'));
        assert.match(raw.got, /^HTTP\/1\.1 403 Forbidden\r\n/);
        raw.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
        await raw.until(() => raw.got.split('HTTP/1.1 403').length === 3);
        raw.socket.destroy();
      },
    );
  });

  test('ends a connection whose body nobody wants and that is large, or never ends', async () => {
    await serving(
      async () => ({ status: 403, headers: {}, body: 'no' }),
      async ({ port }) => {
        const announced = new Raw(port);
        announced.send('PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n');
        await announced.until(() => announced.closed);
        assert.match(announced.got, /^HTTP\/1\.1 403 Forbidden\r\n.*\r\nConnection: close\r\n/s);
        const endless = new Raw(port);
        endless.send('PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n');
        const more = setInterval(() => endless.send(`2710\r\n${'x'.repeat(10_000)}\r\n`), 1);
        await endless.until(() => endless.closed);
        clearInterval(more);
      },
    );
  });

  test('asks for a body with 100 Continue only once somebody wants it', async () => {
    await serving(
      async (call) =>
        call.target === '/refused' ? { status: 401, headers: {}, body: 'no' } : { ...OK, body: await gather(call) },
      async ({ port }) => {
        const refused = new Raw(port);
        refused.send('PUT /refused HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
        await refused.until(() => refused.closed);
        assert.match(refused.got, /^HTTP\/1\.1 401 /);
        const wanted = new Raw(port);
        wanted.send('PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
        await wanted.until(() => wanted.got === 'HTTP/1.1 100 Continue\r\n\r\n');
        wanted.send('hello');
        await wanted.until(() => wanted.got.endsWith('hello'));
        wanted.socket.destroy();
      },
    );
  });

  test('gives up a body that stops coming, and one that only trickles', async () => {
    const failures: unknown[] = [];
    const answer = async (call: Call): Promise<Reply> => {
      await gather(call).catch((error: unknown) => {
        failures.push(error);
        throw error;
      });
      return OK;
    };
    const head = 'PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 500\r\n\r\n';
    await serving(
      answer,
      async ({ port }) => {
        const silent = new Raw(port);
        silent.send(`${head}x`);
        await silent.until(() => silent.closed);
        assert.equal((failures[0] as { code?: string }).code, 'body-ended');
      },
      { idleMs: 50 },
    );
    await serving(
      answer,
      async ({ port }) => {
        const trickling = new Raw(port);
        trickling.send(head);
        const drops = setInterval(() => trickling.send('x'), 5);
        await trickling.until(() => trickling.got !== '');
        clearInterval(drops);
        assert.match(trickling.got, /^HTTP\/1\.1 400 [\s\S]*body-slow$/);
        trickling.socket.destroy();
      },
      { graceMs: 50, bytesPerSecond: 100_000 },
    );
  });

  test('does not take a client for idle that waits for the registry', async () => {
    await serving(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return OK;
      },
      async ({ port }) => {
        const raw = new Raw(port);
        raw.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
        await raw.until(() => raw.got.endsWith('ok') || raw.closed);
        assert.match(raw.got, /ok$/);
        raw.socket.destroy();
      },
      { idleMs: 50 },
    );
  });

  test('ends a connection that does not read its answer, and the answer with it', async () => {
    let ended = false;
    await serving(
      async () => ({
        status: 200,
        headers: {},
        body: (async function* () {
          try {
            for (;;) yield Buffer.alloc(1024 * 1024);
          } finally {
            ended = true;
          }
        })(),
      }),
      async ({ port }) => {
        const raw = new Raw(port);
        raw.socket.pause();
        raw.send('GET / HTTP/1.1\r\nHost: h\r\n\r\n');
        await raw.until(() => ended);
        raw.socket.destroy();
      },
      { idleMs: 100 },
    );
  });

  test('says 500 where a stream cannot begin, and breaks off where it cannot go on', async () => {
    const body = async function* (chunks: number): AsyncIterable<Uint8Array> {
      for (let at = 0; at < chunks; at++) yield Buffer.from('chunk');
      throw new Error('the disk is gone');
    };
    await serving(
      async (call) => ({
        status: 200,
        headers: { 'content-length': '100' },
        body: body(call.target === '/late' ? 2 : 0),
      }),
      async ({ port, log }) => {
        const late = new Raw(port);
        late.send('GET /late HTTP/1.1\r\nHost: h\r\n\r\n');
        await late.until(() => late.closed);
        assert.ok(!/(?:chunk){3}/.test(late.got), 'more came than there was');
        const never = new Raw(port);
        never.send('GET /never HTTP/1.1\r\nHost: h\r\n\r\n');
        await never.until(() => never.got !== '');
        assert.match(never.got, /^HTTP\/1\.1 500 /);
        never.socket.destroy();
        assert.deepEqual(
          log.map(({ status, error }) => `${status} ${(error as Error).message}`),
          ['500 the disk is gone', '500 the disk is gone'],
        );
      },
    );
  });

  test('answers a fault that nobody foresaw with 500, says nothing of it, and logs it', async () => {
    await serving(
      async () => {
        throw new TypeError('x is not a function in /srv/secret');
      },
      async ({ port, log }) => {
        const raw = new Raw(port);
        raw.send('GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
        await raw.until(() => raw.closed);
        assert.match(raw.got, /^HTTP\/1\.1 500 .*\r\n\r\nfailed$/s);
        assert.ok(!raw.got.includes('secret'));
        assert.match(String(log[0]?.error), /secret/);
      },
    );
  });
});
